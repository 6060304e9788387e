/*
 * /init of the Linux that is measured: says when it began, runs some loads, switches off.
 *
 * Everything is told in ticks of the TSC, which an emulator counts in instructions. With n CPUs
 * each load runs in n processes at once, and a round is what one of them takes. With `loads=no` on
 * the kernel's command line there is but the boot.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static uint64_t tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* 64-bit xorshift: a round is 1,000 steps. */
static void compute(unsigned rounds)
{
    volatile uint64_t sink;
    uint64_t x = 88172645463325252u;

    for (unsigned i = 0; i < rounds * 1000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    sink = x;
    (void)sink;
}

static void getppid_calls(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        syscall(SYS_getppid);
}

static void touch_pages(unsigned rounds)
{
    char *p = mmap(NULL, (size_t)rounds * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);

    if (p == MAP_FAILED)
        return;
    madvise(p, (size_t)rounds * PAGE, MADV_NOHUGEPAGE);
    for (unsigned i = 0; i < rounds; i++)
        p[(size_t)i * PAGE] = 1;
    munmap(p, (size_t)rounds * PAGE);
}

static void fork_exit_wait(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        pid_t child = fork();
        if (!child)
            _exit(0);
        waitpid(child, NULL, 0);
    }
}

/* A byte there and back between two processes. */
static void pipe_trip(unsigned rounds)
{
    int there[2], back[2];
    char byte = 0;

    if (pipe(there) || pipe(back))
        return;
    pid_t child = fork();
    for (unsigned i = 0; i < rounds; i++) {
        int in = child ? back[0] : there[0], out = child ? there[1] : back[1];
        if ((child && write(out, &byte, 1) != 1) || read(in, &byte, 1) != 1 ||
            (!child && write(out, &byte, 1) != 1))
            break;
    }
    if (!child)
        _exit(0);
    waitpid(child, NULL, 0);
}

static void sleep_1ms(unsigned rounds)
{
    struct timespec ms = { .tv_nsec = 1000000 };

    for (unsigned i = 0; i < rounds; i++)
        nanosleep(&ms, NULL);
}

static const struct load {
    const char *name;
    void (*run)(unsigned rounds);
    unsigned rounds;
} loads[] = {
    { "compute, 1,000 steps", compute, 2000 }, { "getppid", getppid_calls, 20000 },
    { "page touch", touch_pages, 4000 },       { "fork + exit + wait", fork_exit_wait, 100 },
    { "pipe round trip", pipe_trip, 500 },     { "nanosleep 1 ms", sleep_1ms, 50 },
};

static int cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

static void measure(const struct load *l, int jobs)
{
    uint64_t from = tsc();

    for (int i = 1; i < jobs; i++) {
        if (!fork()) {
            l->run(l->rounds);
            _exit(0);
        }
    }
    l->run(l->rounds);
    for (int i = 1; i < jobs; i++)
        wait(NULL);
    printf("load: %-24s %12lu\n", l->name, (tsc() - from) / l->rounds);
}

int main(void)
{
    uint64_t began = tsc();
    const char *wanted = getenv("loads");
    int jobs = cpus();

    printf("\nload: init began at %lu, %d CPUs\n", began, jobs);
    for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
        if (!wanted || strcmp(wanted, "no"))
            measure(&loads[i], jobs);
    printf("load: done\n");
    fflush(stdout);
    sleep(1);
    reboot(RB_POWER_OFF);
    return 0;
}
