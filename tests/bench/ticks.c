/*
 * A clock for rows that need programs of others: what is measured takes ticks of the TSC, which an
 * emulator counts in instructions.
 *
 *     ticks run NAME PROGRAM...    until that program ends
 *     ticks disk NAME DEVICE       reads of 4 KiB past the cache, one after the other
 *     ticks net NAME ADDRESS       pings of 1,500 bytes, one after the other
 *
 * Between two `xchg bx, bx` are FEW more of what was counted, for Bochs' debugger to trace them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE   4096
#define PACKET 1500
#define ROUNDS 1000
#define WARM   100
#define FEW    8

static uint64_t tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static void debugger(void)
{
    __asm__ volatile("xchg %%bx, %%bx" : : : "memory");
}

static void measure(const char *name, void (*once)(int fd, unsigned n), int fd)
{
    unsigned n = 0;

    while (n < WARM)
        once(fd, n++);
    uint64_t from = tsc();
    while (n < WARM + ROUNDS)
        once(fd, n++);
    uint64_t took = tsc() - from;
    debugger();
    while (n < WARM + ROUNDS + FEW)
        once(fd, n++);
    debugger();
    printf("row: %s: %lu\n", name, took / ROUNDS);
}

/* ---- What is measured ---- */

static void read_block(int fd, unsigned n)
{
    static char block[PAGE] __attribute__((aligned(PAGE)));

    if (pread(fd, block, PAGE, (off_t)n * PAGE) != PAGE)
        err(1, "read");
}

static uint16_t checksum(const void *data, size_t bytes)
{
    const uint16_t *words = data;
    uint32_t sum = 0;

    for (size_t i = 0; i < bytes / 2; i++)
        sum += words[i];
    sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

/* The kernel of the other side answers. */
static void ping(int fd, unsigned n)
{
    static struct {
        struct icmphdr head;
        char data[PACKET - sizeof(struct iphdr) - sizeof(struct icmphdr)];
    } request, answer[2];

    request.head =
        (struct icmphdr){ .type = ICMP_ECHO, .un.echo = { htons(0xCA15), htons((uint16_t)n) } };
    request.head.checksum = checksum(&request, sizeof(request));
    if (send(fd, &request, sizeof(request), 0) != sizeof(request))
        err(1, "send");
    if (recv(fd, answer, sizeof(answer), 0) != PACKET)
        err(1, "recv");
}

static int open_disk(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECT);

    if (fd < 0)
        err(1, "%s", path);
    return fd;
}

static int open_net(const char *address)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

    if (fd < 0 || !inet_aton(address, &to.sin_addr) || connect(fd, (void *)&to, sizeof(to)))
        err(1, "%s", address);
    return fd;
}

static int run(const char *name, char **program)
{
    int status = 1;
    uint64_t from = tsc();
    pid_t child = fork();

    if (!child) {
        execvp(program[0], program);
        err(1, "%s", program[0]);
    }
    waitpid(child, &status, 0);
    if (!status)
        printf("row: %s: %lu\n", name, tsc() - from);
    return !!status;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (argc > 3 && !strcmp(what, "run"))
        return run(argv[2], argv + 3);
    if (argc > 3 && !strcmp(what, "disk"))
        measure(argv[2], read_block, open_disk(argv[3]));
    else if (argc > 3 && !strcmp(what, "net"))
        measure(argv[2], ping, open_net(argv[3]));
    else
        errx(1, "run, disk or net");
    return 0;
}
