/*
 * Domains that are restored from nonsense. A few words of each state are wrong, so that many are
 * taken: what a CPU does with them is Caisson's affair then.
 */
#include "guest/lib/hypercall.h"
#include "guest/storm/storm.h"
#include "include/public/control.h"
#include "include/public/hvm/save.h"

#define STATE_WORDS 2048
#define CPU_WORDS   ((sizeof(struct hvm_save_descriptor) + sizeof(struct hvm_hw_cpu)) / 8)

static struct {
    struct xen_domctl op;
    uint64_t state[STATE_WORDS];
} all[MOST_VCPUS];

static int64_t domctl(struct xen_domctl *op, uint32_t cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return hypercall(XEN_HYPERCALL_DOMCTL, (uint64_t)op, 0, 0);
}

static int64_t create(struct xen_domctl *op)
{
    *op = (struct xen_domctl){ .u.createdomain = { .flags = XEN_DOMCTL_CDF_HVM | XEN_DOMCTL_CDF_HAP,
                                                   .max_vcpus = 1,
                                                   .grant_opts = 1,
                                                   .emulation_flags = XEN_X86_EMU_LAPIC } };
    return domctl(op, XEN_DOMCTL_CREATEDOMAIN);
}

/* In a mode of the CPU's. */
static struct hvm_hw_cpu begin(uint32_t n)
{
    static const struct {
        uint32_t cr0, cr4, efer, code;
    } modes[] = { { 0x10, 0, 0, 0x9b },
                  { 0x11, 0, 0, 0xc9b },
                  { 0x80000011, 0x20, 0, 0xc9b },
                  { 0x80000011, 0x20, 0xd01, 0xa9b } };

    n %= sizeof(modes) / sizeof(modes[0]);
    return (struct hvm_hw_cpu){ .cr0 = modes[n].cr0,
                                .cr4 = modes[n].cr4,
                                .msr_efer = modes[n].efer,
                                .rflags = 0x202,
                                .fpu_regs = { 0x7f, 3, [24] = 0x80, 0x1f },
                                .flags = HVM_CPU_FPU,
                                .cs_limit = n ? ~0u : 0xffff,
                                .ss_limit = ~0u,
                                .tr_limit = 0x67,
                                .cs_arbytes = modes[n].code,
                                .ss_arbytes = 0xc93,
                                .tr_arbytes = 0x8b };
}

/* Behind what the new one has by itself, in the place of the last record. Returns all its words. */
static uint64_t add_cpu(struct worker *w, uint64_t *state, uint64_t words)
{
    struct hvm_save_descriptor *d = (struct hvm_save_descriptor *)&state[words - 1];
    struct hvm_hw_cpu *cpu = (struct hvm_hw_cpu *)(d + 1);

    *d = (struct hvm_save_descriptor){ HVM_SAVE_CPU, 0, sizeof(*cpu) };
    *cpu = begin(any(w));
    if (any(w) % 2)
        cpu->pending_event = HVM_EVENT_VALID | (any(w) & 0xfff);
    if (any(w) % 2)
        cpu->error_code = any(w);
    state[words - 1 + CPU_WORDS] = 0;
    return words + CPU_WORDS;
}

static void spoil(struct worker *w, uint64_t *state, uint64_t words)
{
    for (unsigned n = any(w) % 4; n > 0; n--)
        state[any(w) % words] ^= 1ul << any(w) % 64;
    for (unsigned n = any(w) % 4; n > 0; n--)
        state[words - 1 - any(w) % CPU_WORDS] ^= 1ul << any(w) % 64;
}

static int64_t put_state(struct worker *w, struct xen_domctl *op, uint64_t *state)
{
    op->u.hvmcontext = (struct xen_domctl_hvmcontext){ .size = (STATE_WORDS - CPU_WORDS) * 8,
                                                       .buffer = (uint64_t)state };
    int64_t err = domctl(op, XEN_DOMCTL_GETHVMCONTEXT);
    if (err)
        return err;
    uint64_t words = add_cpu(w, state, op->u.hvmcontext.size / 8);
    spoil(w, state, words);
    op->u.hvmcontext =
        (struct xen_domctl_hvmcontext){ .size = (uint32_t)words * 8, .buffer = (uint64_t)state };
    return domctl(op, XEN_DOMCTL_SETHVMCONTEXT);
}

int64_t restore(struct worker *w)
{
    struct xen_domctl *op = &all[w->vcpu].op;
    int64_t err = create(op);

    if (err)
        return err;
    int64_t put = put_state(w, op, all[w->vcpu].state);
    if (!put)
        err = domctl(op, XEN_DOMCTL_UNPAUSEDOMAIN);
    if (put || any(w) % 2)
        (void)domctl(op, XEN_DOMCTL_DESTROYDOMAIN);
    return put ? put : err;
}
