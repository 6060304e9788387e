/*
 * A storm of hypercalls: random numbers, commands and arguments, good pointers and bad ones, from a
 * fixed seed (`seed=N` and `calls=N` on the command line choose others). The guest survives it if
 * Caisson does what it is asked and nothing else; the sum of all results tells two runs apart.
 *
 * What would end or stop this guest as it should is left out: shutdown, block, poll, its own vCPU
 * going down. Memory that it stands in is in none of the arguments.
 */
#include "guest/lib/event.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/pvconsole.h"
#include "guest/lib/start_info.h"
#include "guest/lib/trap.h"
#include "include/public/vcpu.h"

#define ARG_BYTES 256
#define SPARE     0x800000ul /* 8 MiB up: RAM that nothing stands in */
/* The last pages of RAM (mem=16M): an array that is too long runs into nothing. */
#define BUFFER 0xffe000ul

static uint64_t seed;
static uint8_t *const buffer = (uint8_t *)BUFFER;

void main(const void *boot_information);

static uint32_t any(void)
{
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (uint32_t)(seed >> 33);
}

static uint64_t number(void)
{
    static const uint64_t edges[] = { 0xff,       511,         512,           4095,
                                      4096,       0x7fef,      0x7ff0,        0x7fffffff,
                                      0xffffffff, 1ul << 36,   ~0ul >> 12,    0x7ffffffffffffffful,
                                      ~0ul - 1,   0xe0000000u, 0xfffffffffful };

    switch (any() % 4) {
    case 0:
        return edges[any() % (sizeof(edges) / sizeof(edges[0]))];
    case 1:
        return (SPARE >> 12) + any() % 512;
    }
    return any() % 24;
}

/* Into the buffer, over its end, into spare RAM, to nowhere, to no address at all. */
static uint64_t pointer(void)
{
    switch (any() % 16) {
    case 0:
        return SPARE + any() % 0x400000;
    case 1:
        return 0xfffffffffffff000ul + any() % 4096;
    case 2:
        return 0x8000000000000000ul;
    case 3:
        return 0x100000000ul - any() % 64; /* where the page tables end */
    case 4:
        return BUFFER + 4096 - any() % 64;
    }
    return BUFFER;
}

static void fill(void)
{
    for (unsigned i = 0; i < ARG_BYTES; i += 4) {
        uint64_t value = any() % 8 ? number() : pointer();
        bool wide = any() % 2 && i % 8 == 0;
        for (unsigned b = 0; b < (wide ? 8 : 4); b++)
            buffer[i + b] = (uint8_t)(value >> 8 * b);
        i += wide ? 4 : 0;
    }
}

static bool is_left_out(uint64_t nr, uint64_t cmd)
{
    if (nr == XEN_HYPERCALL_SCHED_OP)
        return cmd != XEN_SCHED_YIELD;
    if (nr == XEN_HYPERCALL_VCPU_OP)
        return cmd == VCPUOP_DOWN || cmd == VCPUOP_SEND_NMI;
    return nr == XEN_HYPERCALL_MULTICALL || nr == XEN_HYPERCALL_IRET ||
           (nr == XEN_HYPERCALL_CONSOLE_IO);
}

static int64_t call(void)
{
    static const uint8_t often[] = { XEN_HYPERCALL_MEMORY_OP,        XEN_HYPERCALL_GRANT_TABLE_OP,
                                     XEN_HYPERCALL_EVENT_CHANNEL_OP, XEN_HYPERCALL_VCPU_OP,
                                     XEN_HYPERCALL_HVM_OP,           XEN_HYPERCALL_XEN_VERSION };
    uint64_t nr = any() % 8 ? often[any() % sizeof(often)] : any() % 64;
    uint64_t cmd = any() % 32 ? any() % 16 : number();

    if (is_left_out(nr, cmd))
        return 0;
    fill();
    if (nr == XEN_HYPERCALL_VCPU_OP)
        return hypercall(nr, cmd, any() % 8 ? 0 : number(), pointer());
    return hypercall(nr, cmd, pointer(), any() % 4 ? any() % 4 : number());
}

void main(const void *boot_information)
{
    uint64_t calls = start_number(boot_information, "calls", 50000), sum = 0, errors = 0;

    seed = start_number(boot_information, "seed", 1);
    trap_init();
    print("storm: %lu calls, seed %lu\n", calls, seed);
    for (uint64_t n = 0; n < calls; n++) {
        int64_t result = call();
        sum = (sum << 5 | sum >> 59) ^ (uint64_t)result;
        errors += result < 0;
    }
    print("storm: over, %lu errors, sum %#lx\n", errors, sum);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
