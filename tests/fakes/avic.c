/*
 * AVIC as the APM describes it. See tests/fakes/avic.h.
 */
#include "tests/fakes/avic.h"

#include <assert.h>
#include "arch/x86/cpu.h"
#include "lib/addr.h"
#include "mm/heap.h"

#define RUNNING (1UL << 62)
#define POINTER 0xFFFFFFFFFF000UL

enum { ID = 0x20, TPR = 0x80, PPR = 0xA0, EOI = 0xB0, DFR = 0xE0, ICRL = 0x300, ICRH = 0x310 };
enum { ISR = 0x100, TMR = 0x180, IRR = 0x200 };

struct avic_ways avic_ways;

static void *at(uint64_t address)
{
    return heap_from_maddr(maddr(address & POINTER));
}

static uint32_t *reg(const struct vmcb *vmcb, uint32_t offset)
{
    return (uint32_t *)((char *)at(vmcb->avic_backing) + offset);
}

static uint32_t *word(void *page, unsigned set, uint8_t vector)
{
    return (uint32_t *)((char *)page + set + vector / 32 * 16);
}

static int highest(const struct vmcb *vmcb, unsigned set)
{
    for (int v = 255; v >= 0; v--)
        if (*word(at(vmcb->avic_backing), set, (uint8_t)v) >> v % 32 & 1)
            return v;
    return -1;
}

/* ---- Priority and delivery ---- */

/* At a change of the TPR or of the ISR. */
static void update_ppr(struct vmcb *vmcb)
{
    int served = highest(vmcb, ISR);
    uint32_t tpr = *reg(vmcb, TPR), class = served < 0 ? 0 : (uint32_t)served & 0xF0;

    *reg(vmcb, PPR) = (tpr & 0xF0) >= class ? tpr : class;
}

/* By the PPR of the page, as the APM says; and by V_TPR, as processors are said to do. */
static bool takes(struct vmcb *vmcb, uint8_t *vector)
{
    int next = highest(vmcb, IRR);

    if (next < 0 || next >> 4 <= (int)(*reg(vmcb, PPR) >> 4) ||
        next >> 4 <= (int)(vmcb->vintr & 0xF))
        return false;
    *vector = (uint8_t)next;
    *word(at(vmcb->avic_backing), IRR, *vector) &= ~(1u << next % 32);
    *word(at(vmcb->avic_backing), ISR, *vector) |= 1u << next % 32;
    update_ppr(vmcb);
    vmcb->rflags &= ~RFLAGS_IF;
    return true;
}

static bool is_intercepted(const struct vmcb *vmcb, unsigned what)
{
    return vmcb->intercepts[what / 32] >> what % 32 & 1;
}

enum avic_first avic_enter(struct vmcb *vmcb, uint8_t *vector)
{
    bool open = (vmcb->rflags & RFLAGS_IF) && !(vmcb->int_state & 1);

    if (vmcb->event_inj & EVENT_VALID) {
        vmcb->rflags &= ~RFLAGS_IF;
        return AVIC_INJECTS;
    }
    if (vmcb->vintr & VINT_AVIC && avic_ways.virq_lost)
        vmcb->vintr &= ~VINT_IRQ;
    if (vmcb->vintr & VINT_AVIC)
        return open && takes(vmcb, vector) ? AVIC_TAKES : AVIC_RUNS;
    if (!open || !(vmcb->vintr & VINT_IRQ) || !is_intercepted(vmcb, ICPT_VINTR))
        return AVIC_RUNS;
    vmcb->exit_code = EXITCODE_VINTR;
    vmcb->exit_int_info = 0;
    return AVIC_VINTR;
}

/* ---- Registers ---- */

enum does { ALLOWED, FAULTS, TRAPS, IS_TPR, IS_EOI, IS_ICR };

/* Table "Guest vAPIC Register Access Behavior". What is in no row is memory. */
static const struct {
    uint32_t first, last;
    enum does read, write;
} table[] = {
    { 0x020, 0x020, ALLOWED, TRAPS },   { 0x030, 0x030, ALLOWED, FAULTS },
    { 0x080, 0x080, ALLOWED, IS_TPR },  { 0x090, 0x090, FAULTS, FAULTS },
    { 0x0A0, 0x0A0, ALLOWED, FAULTS },  { 0x0B0, 0x0B0, ALLOWED, IS_EOI },
    { 0x0C0, 0x0F0, ALLOWED, TRAPS },   { 0x100, 0x270, ALLOWED, FAULTS },
    { 0x280, 0x280, ALLOWED, TRAPS },   { 0x300, 0x300, ALLOWED, IS_ICR },
    { 0x310, 0x310, ALLOWED, ALLOWED }, { 0x320, 0x380, ALLOWED, TRAPS },
    { 0x390, 0x390, FAULTS, FAULTS },   { 0x3E0, 0x3E0, ALLOWED, TRAPS },
    { 0x400, 0x420, FAULTS, FAULTS },   { 0x480, 0x4F0, FAULTS, FAULTS },
    { 0x540, 0xFF0, FAULTS, FAULTS },
};

static enum does behaviour(uint32_t offset, bool write)
{
    if (offset >= 0x500 && offset <= 0x530)
        return !avic_ways.ext_lvt ? FAULTS : write ? TRAPS : ALLOWED;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (offset >= table[i].first && offset <= table[i].last)
            return write ? table[i].write : table[i].read;
    return ALLOWED;
}

static bool exits(struct vmcb *vmcb, uint32_t code, uint64_t info1, uint64_t info2)
{
    vmcb->exit_code = code;
    vmcb->exit_info1 = info1;
    vmcb->exit_info2 = info2;
    vmcb->exit_int_info = 0;
    vmcb->next_rip = 0;
    return true;
}

static bool no_exit(struct vmcb *vmcb)
{
    vmcb->rip += AVIC_INSN;
    return false;
}

bool avic_read(struct vmcb *vmcb, uint32_t offset, uint32_t *value)
{
    assert(vmcb->vintr & VINT_AVIC);
    if (behaviour(offset, false) == FAULTS)
        return exits(vmcb, 0x402, offset, 0);
    *value = *reg(vmcb, offset);
    return no_exit(vmcb);
}

static void set_tpr(struct vmcb *vmcb, uint32_t value)
{
    *reg(vmcb, TPR) = value;
    vmcb->vintr = (vmcb->vintr & ~0xFUL) | (value >> 4 & 0xF);
    update_ppr(vmcb);
}

static bool write_eoi(struct vmcb *vmcb)
{
    int served = highest(vmcb, ISR);

    vmcb->rip += AVIC_INSN;
    if (served < 0)
        return false;
    uint32_t bit = 1u << served % 32;
    bool level = *word(at(vmcb->avic_backing), TMR, (uint8_t)served) & bit;
    if (!level || avic_ways.eoi_clears) {
        *word(at(vmcb->avic_backing), ISR, (uint8_t)served) &= ~bit;
        update_ppr(vmcb);
    }
    return level && exits(vmcb, 0x402, 1UL << 32 | EOI, (uint64_t)served);
}

/* ---- IPIs: "IPI Delivery", steps 1 to 6 ---- */

enum why { INVALID_TYPE, NOT_RUNNING, INVALID_TARGET, INVALID_PAGE, INVALID_VECTOR };

static bool incomplete(struct vmcb *vmcb, enum why why, unsigned index)
{
    uint64_t icr = (uint64_t)*reg(vmcb, ICRH) << 32 | *reg(vmcb, ICRL);

    return exits(vmcb, 0x401, icr, (uint64_t)why << 32 | index);
}

/* True if it is running. */
static bool request(uint64_t entry, uint8_t vector)
{
    __atomic_fetch_or(word(at(entry), IRR, vector), 1u << vector % 32, __ATOMIC_SEQ_CST);
    avic_ways.doorbells += !!(entry & RUNNING);
    return entry & RUNNING;
}

static bool send_to_all(struct vmcb *vmcb, uint8_t vector, bool but_self)
{
    const uint64_t *physical = at(vmcb->avic_physical);
    unsigned last = vmcb->avic_physical & 0xFFF, self = *reg(vmcb, ID) >> 24;
    int sleeper = -1;

    for (unsigned i = 0; i <= last; i++)
        if (physical[i] >> 63 && !(but_self && i == self) && !request(physical[i], vector))
            sleeper = (int)i;
    return sleeper >= 0 && incomplete(vmcb, NOT_RUNNING, (unsigned)sleeper);
}

static bool send_to_one(struct vmcb *vmcb, unsigned id, uint8_t vector)
{
    const uint64_t *physical = at(vmcb->avic_physical);

    if (id > (vmcb->avic_physical & 0xFFF) || !(physical[id] >> 63))
        return incomplete(vmcb, INVALID_TARGET, id);
    return !request(physical[id], vector) && incomplete(vmcb, NOT_RUNNING, id);
}

/* All of them are looked up before anything is requested. */
static bool send_logical(struct vmcb *vmcb, unsigned dest, uint8_t vector)
{
    const uint32_t *logical = at(vmcb->avic_logical);
    bool flat = *reg(vmcb, DFR) >> 28 == 0xF;
    unsigned first = flat ? 0 : dest >> 4 << 2, bits = flat ? dest : dest & 0xF;

    for (unsigned i = 0; bits >> i; i++)
        if (bits >> i & 1 && !(logical[first + i] >> 31))
            return incomplete(vmcb, INVALID_TARGET, first + i);
    for (unsigned i = 0; bits >> i; i++)
        if (bits >> i & 1 && send_to_one(vmcb, logical[first + i] & 0xFF, vector))
            return true;
    return false;
}

static bool write_icr(struct vmcb *vmcb, uint32_t value)
{
    unsigned shorthand = value >> 18 & 3, dest = *reg(vmcb, ICRH) >> 24;
    uint8_t vector = (uint8_t)value;

    *reg(vmcb, ICRL) = value;
    vmcb->rip += AVIC_INSN;
    if (value >> 8 & 7 || value >> 15 & 1)
        return incomplete(vmcb, INVALID_TYPE, 0);
    if (vector < 16)
        return incomplete(vmcb, INVALID_VECTOR, 0);
    if (shorthand == 1) {
        *word(at(vmcb->avic_backing), IRR, vector) |= 1u << vector % 32;
        return false;
    }
    if (shorthand || dest == 0xFF)
        return send_to_all(vmcb, vector, shorthand == 3);
    return value >> 11 & 1 ? send_logical(vmcb, dest, vector) : send_to_one(vmcb, dest, vector);
}

bool avic_write(struct vmcb *vmcb, uint32_t offset, uint32_t value)
{
    assert(vmcb->vintr & VINT_AVIC);
    switch (behaviour(offset, true)) {
    case FAULTS:
        return exits(vmcb, 0x402, 1UL << 32 | offset, 0);
    case TRAPS:
        *reg(vmcb, offset) = value;
        vmcb->rip += AVIC_INSN;
        return exits(vmcb, 0x402, 1UL << 32 | offset, 0);
    case IS_EOI:
        return write_eoi(vmcb);
    case IS_ICR:
        return write_icr(vmcb, value);
    case IS_TPR:
        set_tpr(vmcb, value & 0xFF);
        return no_exit(vmcb);
    case ALLOWED:
        *reg(vmcb, offset) = value;
    }
    return no_exit(vmcb);
}

bool avic_write_cr8(struct vmcb *vmcb, uint8_t value)
{
    if (is_intercepted(vmcb, ICPT_CR_WRITE + 8))
        return exits(vmcb, EXITCODE_CR_WRITE + 8, 0, 0);
    assert(vmcb->vintr & VINT_AVIC);
    set_tpr(vmcb, (uint32_t)value << 4);
    return no_exit(vmcb);
}

/* ---- By MSR ---- */

static bool msr_exits(struct vmcb *vmcb, uint32_t msr, bool write)
{
    const uint8_t *map = heap_from_maddr(maddr(vmcb->msrpm));
    bool intercepted = map[msr / 4] >> (msr % 4 * 2 + write) & 1;

    assert(intercepted || (~vmcb->vintr & (VINT_AVIC | VINT_X2AVIC)) == 0);
    return intercepted && exits(vmcb, EXITCODE_MSR, write, 0);
}

bool avic_rdmsr(struct vmcb *vmcb, uint32_t msr, uint64_t *value)
{
    uint32_t low = 0;

    if (msr_exits(vmcb, msr, false))
        return true;
    bool exit = avic_read(vmcb, (msr & 0xFF) << 4, &low);
    *value = low;
    return exit;
}

bool avic_wrmsr(struct vmcb *vmcb, uint32_t msr, uint64_t value)
{
    return msr_exits(vmcb, msr, true) || avic_write(vmcb, (msr & 0xFF) << 4, (uint32_t)value);
}
