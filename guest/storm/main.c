/*
 * A storm of hypercalls: random numbers, commands and arguments, good pointers and bad ones, from a
 * fixed seed (`seed=N` and `calls=N` on the command line choose others). The guest survives it if
 * Caisson does what it is asked and nothing else; the sum of all results tells two runs apart.
 *
 * All vCPUs of the domain take part, each with a seed of its own; two and two they share a page of
 * arguments, so what a call reads is changed by another vCPU meanwhile.
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
#include "guest/lib/vcpus.h"
#include "guest/storm/storm.h"
#include "include/public/control.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/hvm/params.h"
#include "include/public/vcpu.h"

#define ARG_WORDS 24 /* three of the longest structure */
/* The last pages of RAM (mem=16M): an array that is too long runs into nothing. */
#define BUFFER      0xffe000ul
#define STACK_BYTES 8192

static struct worker workers[MOST_VCPUS];
static bool rules; /* it is the control domain, and a bad one: `control=1` */
static uint8_t stacks[MOST_VCPUS][STACK_BYTES] __attribute__((aligned(16)));

void main(const void *boot_information);

uint64_t any_number(struct worker *w)
{
    static const uint64_t edges[] = { 0xff,       511,         512,           4095,
                                      4096,       0x7fef,      0x7ff0,        0x7fffffff,
                                      0xffffffff, 1ul << 36,   ~0ul >> 12,    0x7ffffffffffffffful,
                                      ~0ul - 1,   0xe0000000u, 0xfffffffffful };

    switch (any(w) % 4) {
    case 0:
        return edges[any(w) % (sizeof(edges) / sizeof(edges[0]))];
    case 1:
        return (SPARE >> 12) + any(w) % 512;
    }
    return any(w) % 24;
}

/* Into the buffer, over its end, before it, to nowhere, to no address at all. */
static uint64_t pointer(struct worker *w)
{
    switch (any(w) % 16) {
    case 0: /* arrays without an end stop soon: RAM does */
        return BUFFER - 0x10000 + any(w) % 0xe000;
    case 1:
        return 0xfffffffffffff000ul + any(w) % 4096;
    case 2:
        return 0x8000000000000000ul;
    case 3:
        return 0x100000000ul - any(w) % 64; /* where the page tables end */
    case 4:
        return w->at + 4096 - any(w) % 64;
    }
    return w->at;
}

static void fill(struct worker *w)
{
    volatile uint32_t *word = (volatile uint32_t *)w->at;

    for (unsigned i = 0; i < ARG_WORDS; i++) {
        uint64_t value = any(w) % 8 ? any_number(w) : pointer(w);
        word[i] = (uint32_t)value;
        if (any(w) % 2 && i % 2 == 0)
            word[++i] = (uint32_t)(value >> 32);
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

/* Each parameter, of its own and of one of the first domains. */
static int64_t use_parameter(struct worker *w)
{
    struct xen_hvm_param *p = (struct xen_hvm_param *)w->at;

    *p = (struct xen_hvm_param){ .domid = (uint16_t)(any(w) % 2 ? XEN_DOMID_SELF : any(w) % 16),
                                 .index = any(w) % (HVM_PARAMS + 1),
                                 .value = any_number(w) };
    return hypercall(XEN_HYPERCALL_HVM_OP, any(w) % 2 ? HVMOP_SET_PARAM : HVMOP_GET_PARAM, w->at,
                     0);
}

static int64_t call(struct worker *w)
{
    static const uint8_t often[] = { XEN_HYPERCALL_MEMORY_OP,        XEN_HYPERCALL_GRANT_TABLE_OP,
                                     XEN_HYPERCALL_EVENT_CHANNEL_OP, XEN_HYPERCALL_VCPU_OP,
                                     XEN_HYPERCALL_HVM_OP,           XEN_HYPERCALL_XEN_VERSION };
    uint64_t nr = any(w) % 8 ? often[any(w) % sizeof(often)] : any(w) % 64;
    uint64_t cmd = any(w) % 32 ? any(w) % 29 : any_number(w);

    if (is_left_out(nr, cmd))
        return 0;
    if (any(w) % 32 == 0)
        return any(w) % 2 ? use_parameter(w) : use_memory(w);
    fill(w);
    if (nr == XEN_HYPERCALL_VCPU_OP)
        return hypercall(nr, cmd, any(w) % 8 ? any(w) % MOST_VCPUS : any_number(w), pointer(w));
    return hypercall(nr, cmd, pointer(w), any(w) % 4 ? any(w) % 4 : any_number(w));
}

/* As the tools do; each is another one, or the same once more. */
static void ask_for_domain(struct worker *w)
{
    struct xen_domctl *op = (struct xen_domctl *)w->at;

    *op = (struct xen_domctl){
        .cmd = XEN_DOMCTL_CREATEDOMAIN,
        .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
        .u.createdomain = { .handle = { (uint8_t)any(w) },
                            .flags = XEN_DOMCTL_CDF_HVM | XEN_DOMCTL_CDF_HAP,
                            .max_vcpus = 1 + any(w) % 3,
                            .grant_opts = 1,
                            .emulation_flags = XEN_X86_EMU_LAPIC },
    };
}

static void ask_for_log(struct worker *w)
{
    static const uint8_t ops[] = { XEN_SHADOW_OP_OFF, XEN_SHADOW_OP_ENABLE_LOGDIRTY,
                                   XEN_SHADOW_OP_CLEAN, XEN_SHADOW_OP_PEEK };
    struct xen_domctl *op = (struct xen_domctl *)w->at;

    op->cmd |= any(w) % 8 ? 0 : 1u << 31; /* as if it went on */
    op->u.shadow_op.op = ops[any(w) % sizeof(ops)];
    op->u.shadow_op.dirty_bitmap = any(w) % 4 ? w->at : pointer(w);
    op->u.shadow_op.pages = any(w) % 16 ? any(w) % 4096 : any_number(w);
}

/* What the control domain alone may: domains are made, and those of the first ids paused,
 * destroyed, and looked at. */
static int64_t control_call(struct worker *w)
{
    static const uint8_t domctls[] = {
        XEN_DOMCTL_DESTROYDOMAIN,     XEN_DOMCTL_PAUSEDOMAIN,
        XEN_DOMCTL_UNPAUSEDOMAIN,     XEN_DOMCTL_GETDOMAININFO,
        XEN_DOMCTL_UNPAUSEDOMAIN,     XEN_DOMCTL_SETVCPUAFFINITY,
        XEN_DOMCTL_MAX_MEM,           XEN_DOMCTL_GETVCPUINFO,
        XEN_DOMCTL_SCHEDULER_OP,      XEN_DOMCTL_GETVCPUAFFINITY,
        XEN_DOMCTL_CREATEDOMAIN,      XEN_DOMCTL_MAX_VCPUS,
        XEN_DOMCTL_MAX_MEM,           XEN_DOMCTL_RESUMEDOMAIN,
        XEN_DOMCTL_GETTSCINFO,        XEN_DOMCTL_SETTSCINFO,
        XEN_DOMCTL_GETHVMCONTEXT,     XEN_DOMCTL_SETHVMCONTEXT,
        XEN_DOMCTL_SETNODEAFFINITY,   XEN_DOMCTL_GET_CPU_POLICY,
        XEN_DOMCTL_SET_CPU_POLICY,    XEN_DOMCTL_SET_PAGING_MEMPOOL_SIZE,
        XEN_DOMCTL_SHADOW_OP,         XEN_DOMCTL_SUBSCRIBE,
        XEN_DOMCTL_GETPAGEFRAMEINFO3, XEN_DOMCTL_GETVCPUCONTEXT,
        XEN_DOMCTL_SETVCPUCONTEXT,    XEN_DOMCTL_SHADOW_OP,
    };
    volatile uint32_t *word = (volatile uint32_t *)w->at;
    bool of_domain = any(w) % 2;

    if (any(w) % 64 == 0)
        return restore(w);
    if (any(w) % 8 == 0)
        return use_memory(w);
    fill(w);
    word[0] = of_domain ? domctls[any(w) % sizeof(domctls)] : any(w) % 30;
    word[1] = any(w) % 16 ? XEN_DOMCTL_INTERFACE_VERSION : (uint32_t)any_number(w);
    if (any(w) % 8)
        word[2] = any(w) % 16;
    if (of_domain && any(w) % 16 == 0)
        ask_for_domain(w);
    if (of_domain && any(w) % 16 && word[0] == XEN_DOMCTL_SHADOW_OP)
        ask_for_log(w);
    return hypercall(of_domain ? XEN_HYPERCALL_DOMCTL : XEN_HYPERCALL_SYSCTL,
                     any(w) % 16 ? w->at : pointer(w), 0, 0);
}

static void storm(void *arg)
{
    struct worker *w = arg;

    trap_init();
    for (uint64_t n = 0; n < w->calls; n++) {
        int64_t result = rules && any(w) % 2 ? control_call(w) : call(w);
        w->sum = (w->sum << 5 | w->sum >> 59) ^ (uint64_t)result;
        w->errors += result < 0;
    }
    w->done = true;
}

/* All of them, this vCPU's own among them; returns when the last is done. */
static void storm_on_all(unsigned vcpus)
{
    for (unsigned i = 1; i < vcpus; i++) {
        int64_t err = vcpu_begin(i, storm, &workers[i], stacks[i] + STACK_BYTES);
        if (err)
            print("storm: vCPU %u does not begin: %ld\n", i, err);
        workers[i].done = err;
    }
    storm(&workers[0]);
    for (unsigned i = 1; i < vcpus; i++)
        while (!workers[i].done)
            xen_sched(XEN_SCHED_YIELD);
}

void main(const void *boot_information)
{
    uint64_t calls = start_number(boot_information, "calls", 50000), sum = 0, errors = 0;
    uint64_t seed = start_number(boot_information, "seed", 1), vcpus = vcpu_count();

    rules = start_number(boot_information, "control", 0);
    pvconsole_init();
    vcpus = vcpus < MOST_VCPUS ? vcpus : MOST_VCPUS;
    print("storm: %lu calls from each of %lu vCPUs, seed %lu\n", calls, vcpus, seed);
    for (unsigned i = 0; i < vcpus; i++)
        workers[i] = (struct worker){ .seed = seed + i * 0x9e3779b97f4a7c15ul,
                                      .calls = calls,
                                      .vcpu = i,
                                      .at = BUFFER - i / 2 * 4096ul };
    storm_on_all((unsigned)vcpus);
    for (unsigned i = 0; i < vcpus; i++) {
        sum ^= workers[i].sum;
        errors += workers[i].errors;
    }
    print("storm: over, %lu errors, sum %#lx\n", errors, sum);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
