/*
 * Memory that changes with each read. See tests/fakes/race.h.
 */
#define _GNU_SOURCE
#include "tests/fakes/race.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "lib/addr.h"

#define WRITES    2      /* in the error code of a page fault */
#define TRAP      0x100l /* RFLAGS.TF */
#define OPEN_MOST 4      /* pages that one instruction touches */
#define PLACES    4096
#define NEAR      32 /* bytes before and after a read one that may change */

uint64_t race_reads, race_writes;
unsigned race_doubled;
const void *race_doubled_first, *race_doubled_by;

static char *watched[RACE_PAGES];
static unsigned watched_count;
static struct sigaction segv_before, trap_before;
static enum race_how mode;
static uint64_t chance;
static uint64_t raced; /* in all: reads whose memory changed after them */

/* The instruction under way. */
static char *open_page[OPEN_MOST], *read_at[OPEN_MOST];
static unsigned open_count;

static const char *places[PLACES]; /* that were read, by a hash of their address */

static uint32_t any(void)
{
    chance = chance * 6364136223846793005ul + 1442695040888963407ul;
    return (uint32_t)(chance >> 33);
}

static void protect(char *page, int how)
{
    if (mprotect(page, PAGE_SIZE, how))
        abort();
}

static char *watched_page(const void *at)
{
    char *page = (char *)((uintptr_t)at & PAGE_MASK);

    for (unsigned i = 0; i < watched_count; i++)
        if (watched[i] == page)
            return page;
    return NULL;
}

static void note_read(const char *at, const void *by)
{
    unsigned i = (unsigned)((uintptr_t)at % PLACES);

    race_reads++;
    for (unsigned tries = 0; places[i] && places[i] != at; i = (i + 1) % PLACES)
        if (++tries == PLACES)
            return;
    if (places[i] == at) {
        race_doubled++;
        race_doubled_first = at;
        race_doubled_by = by;
    }
    places[i] = at;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    char *page = watched_page(info->si_addr);
    bool write = c->uc_mcontext.gregs[REG_ERR] & WRITES;

    (void)signal;
    if (!page || open_count == OPEN_MOST) { /* a fault like any other: it comes again */
        sigaction(SIGSEGV, &segv_before, NULL);
        return;
    }
    if (write)
        race_writes++;
    else
        note_read(info->si_addr, (void *)c->uc_mcontext.gregs[REG_RIP]);
    protect(page, PROT_READ | PROT_WRITE);
    read_at[open_count] = write ? NULL : info->si_addr;
    open_page[open_count++] = page;
    c->uc_mcontext.gregs[REG_EFL] |= TRAP;
}

/* Some bytes around it, or all that a word has; and sometimes nothing. */
static void change(char *page, char *at)
{
    unsigned offset = (unsigned)(at - page), many = any() % 4;

    if (many == 3)
        memset(at, (int)any(), offset + 8 > PAGE_SIZE ? PAGE_SIZE - offset : 8);
    at[0] ^= (char)(any() % 4 ? 1 : any());
    for (unsigned i = 0; i < many; i++) {
        unsigned near = offset + any() % (2 * NEAR) - NEAR;
        if (near < PAGE_SIZE)
            page[near] ^= (char)any();
    }
}

static void on_step(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;

    (void)signal;
    (void)info;
    c->uc_mcontext.gregs[REG_EFL] &= ~TRAP;
    for (unsigned i = 0; i < open_count; i++) {
        if (mode == RACE_CHANGE && read_at[i]) {
            change(open_page[i], read_at[i]);
            raced++;
        }
        protect(open_page[i], PROT_NONE);
    }
    open_count = 0;
}

void race_watch(const void *page)
{
    char *p = (char *)((uintptr_t)page & PAGE_MASK);

    if (watched_page(p))
        return;
    if (watched_count == RACE_PAGES)
        abort();
    watched[watched_count++] = p;
}

void race_forget(void)
{
    watched_count = 0;
}

uint64_t race_seed(uint64_t seed)
{
    const char *other = getenv("RACE_SEED");

    return seed + (other ? strtoull(other, NULL, 0) << 32 : 0);
}

unsigned race_rounds(unsigned n)
{
    const char *times = getenv("RACE_ROUNDS");

    return times ? n * (unsigned)strtoul(times, NULL, 0) : n;
}

__attribute__((destructor)) static void tell(void)
{
    printf("# race: %lu reads raced\n", (unsigned long)raced);
}

void race_begin(enum race_how how, uint64_t seed)
{
    struct sigaction segv = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    struct sigaction trap = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };

    mode = how;
    chance = race_seed(seed);
    race_reads = race_writes = race_doubled = 0;
    memset(places, 0, sizeof(places));
    sigaction(SIGSEGV, &segv, &segv_before);
    sigaction(SIGTRAP, &trap, &trap_before);
    for (unsigned i = 0; i < watched_count; i++)
        protect(watched[i], PROT_NONE);
}

void race_end(void)
{
    for (unsigned i = 0; i < watched_count; i++)
        protect(watched[i], PROT_READ | PROT_WRITE);
    sigaction(SIGSEGV, &segv_before, NULL);
    sigaction(SIGTRAP, &trap_before, NULL);
}
