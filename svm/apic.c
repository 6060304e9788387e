/*
 * AVIC: the local APIC's registers that the guest reaches without an exit, and the interrupts that
 * the processor delivers to it by itself.
 *
 * It goes by the page of registers (devices/vlapic.h), which the guest reaches in xAPIC mode as
 * memory and in x2APIC mode, where a CPU has x2AVIC, by MSRs. Reads, the TPR, CR8 and the EOI of an
 * edge-triggered interrupt need no exit; what is requested in the IRR comes in as soon as the guest
 * lets it.
 *
 * What one vCPU sends to another exits. By MSR the ICR is intercepted. In xAPIC mode the table in
 * which the processor looks for the addressee says of each that it is not running, and has for the
 * registers of all a page that nobody reads: the processor puts the request there and exits, and
 * the whole interrupt is sent by software. So IRR and ISR of a vCPU are written by its own pCPU
 * only, as with VT-x; and the processors that see too late that a vCPU runs no more (family 17h,
 * erratum 1235) have nothing to see.
 *
 * No emulator has AVIC and nobody has seen this run: it is used only where the operator says
 * apicv=on (caps.c).
 * Source: APM volume 2, "Advanced Virtual Interrupt Controller".
 */
#include "svm/apic.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/tsc.h"
#include "lib/addr.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/time.h"
#include "mm/heap.h"
#include "svm/caps.h"
#include "svm/event.h"
#include "svm/msr.h"
#include "svm/vcpu.h"
#include "virt/cr.h"

/* ---- The page of registers ---- */

#define REG_TPR      0x080
#define REG_PPR      0x0A0
#define REG_EOI      0x0B0
#define REG_ISR      0x100 /* eight registers each, 16 bytes apart */
#define REG_IRR      0x200
#define REG_ICR_LOW  0x300
#define REG_EXT_LVT0 0x500
#define REG_EXT_LVT3 0x530

/* At the byte `offset` there is the one at [offset / 4]. */
static uint32_t *page_of(const struct vmcb *vmcb)
{
    return heap_from_maddr(maddr(vmcb->avic_backing));
}

/* The class of the highest vector: 0 if there is none. */
static unsigned highest_class(const uint32_t *page, unsigned set)
{
    for (unsigned i = 8; i-- > 0;) {
        uint32_t word = page[set / 4 + i * 4];
        if (word)
            return i * 2 + (word >> 16 != 0);
    }
    return 0;
}

/* APM volume 2, "Task Priority and Processor Priority"; the sub-class is the TPR's if the class is.
 */
static uint32_t ppr(const uint32_t *page, uint32_t tpr)
{
    unsigned served = highest_class(page, REG_ISR);

    return tpr >> 4 >= served ? tpr : served << 4;
}

/* ---- Beginning and end ---- */

#define MOST_IDS 255 /* 0xFF is everybody's */
_Static_assert(MAX_VCPUS * 2 <= MOST_IDS, "each second id may be a vCPU's: create/create.c");

/* The addressees: all that a destination can name, so that whatever is sent makes an exit. (What is
 * sent to everybody passes over entries that are not valid.) No logical one is valid, which makes
 * one too. Those are at the beginning of the second page; the requests that come to nothing are at
 * the IRR's place in it. */
struct tables {
    uint64_t physical[PAGE_SIZE / 8];
    uint32_t sink[PAGE_SIZE / 4];
};
_Static_assert(sizeof(struct tables) == PAGE_SIZE << MSR_MAP_ORDER,
               "as large as what is before it");

cold void svm_apic_create(struct virt_vcpu *v, const struct virt_vcpu_config *config)
{
    struct vmcb *vmcb = vmcb_of(v);
    struct tables *t = (struct tables *)svm_of(v)->msr_map + 1;
    uint64_t physical = vmcb->msrpm + sizeof(*t), sink = physical + offsetof(struct tables, sink);

    ASSERT(config->apic_ids - 1 < MOST_IDS); /* the page is mapped for it in any case */
    for (unsigned i = 0; i < config->apic_ids; i++)
        t->physical[i] = AVIC_ENTRY_VALID | sink;
    vmcb->avic_bar = config->apic_base.v;
    vmcb->avic_backing = config->apic_page.v;
    vmcb->avic_logical = sink;
    vmcb->avic_physical = physical | (config->apic_ids - 1);
}

/* ---- Mode ---- */

static void set_vintr(struct virt_vcpu *v, uint64_t value)
{
    struct vmcb *vmcb = vmcb_of(v);

    if ((vmcb->vintr ^ value) & (VINT_AVIC | VINT_X2AVIC)) /* the page is cached as what it was */
        virt_flush_vcpu(v);
    vmcb->vintr = value;
    vmcb_dirty(vmcb, CLEAN_TPR);
}

/* Without x2AVIC they would be the machine's own registers. */
static __attribute__((noinline)) void pass_x2apic(struct svm_vcpu *s, bool pass)
{
    if (s->x2apic_passes == pass)
        return;
    s->x2apic_passes = pass;
    msr_map_x2apic(s->msr_map, pass);
    vmcb_dirty(s->vmcb, CLEAN_MAPS);
}

static enum svm_avic avic_for(const struct vmcb *vmcb, enum virt_apic_mode mode)
{
    if (mode == VIRT_APIC_PAGE && vmcb->avic_backing)
        return AVIC_BY_PAGE;
    return mode == VIRT_APIC_MSRS && svm_has(FEATURE_X2AVIC) ? AVIC_BY_MSR : AVIC_OFF;
}

#define CR8_INTERCEPTS (1u << (ICPT_CR_READ + 8) | 1u << (ICPT_CR_WRITE + 8))

cold void virt_set_apic_mode(struct virt_vcpu *v, enum virt_apic_mode mode)
{
    struct svm_vcpu *s = svm_of(v);
    enum svm_avic avic = avic_for(s->vmcb, mode);

    if (avic == s->avic)
        return;
    s->avic = (uint8_t)avic;
    v->delivers = avic != AVIC_OFF;
    s->vmcb->intercepts[0] |= CR8_INTERCEPTS;
    vmcb_dirty(s->vmcb, CLEAN_INTERCEPTS);
    if (avic != AVIC_OFF) { /* it is switched on before the next entry */
        s->vmcb->intercepts[0] &= ~CR8_INTERCEPTS;
        return;
    }
    pass_x2apic(s, false);
    set_vintr(v, s->vmcb->vintr & ~(VINT_AVIC | VINT_X2AVIC | VINT_TPR));
}

/* ---- State: all of it is in the page, and svm_apic_prepare() tells the rest ---- */

void virt_set_interrupts(struct virt_vcpu *v, uint8_t requested, uint8_t served)
{
    (void)v;
    (void)requested;
    (void)served;
}

void virt_request_interrupt(struct virt_vcpu *v, uint8_t vector)
{
    (void)v;
    (void)vector;
}

bool virt_interrupt_due(const struct virt_vcpu *v, uint8_t tpr)
{
    const uint32_t *page = page_of(vmcb_of(v));

    return highest_class(page, REG_IRR) > ppr(page, tpr) >> 4;
}

/* The TMR says which. */
void virt_set_eoi_exits(struct virt_vcpu *v, const uint64_t vectors[4])
{
    (void)v;
    (void)vectors;
}

void virt_set_held_class(struct virt_vcpu *v, unsigned held)
{
    (void)v;
    (void)held;
}

/* ---- Before an entry ---- */

#define LOOKS_SHIFT 16 /* 65,536 looks a second */

/* Is a window wanted (event.c)? Its V_IRQ, which AVIC ignores, may be gone since the last exit. */
static bool wants_window(const struct vmcb *vmcb)
{
    return vmcb->intercepts[ICPT_VINTR / 32] >> ICPT_VINTR % 32 & 1;
}

/* The machine's timer, for the next look or for the end of the stay. */
static void set_timer(struct virt_vcpu *v, bool looks)
{
    struct svm_vcpu *s = svm_of(v);
    uint64_t now = rdtsc(), until = time_earlier(v->due, v->deadline);

    if (now >= s->look_at)
        s->look_at = now + (tsc_hz >> LOOKS_SHIFT);
    lapic_timer_set(looks ? time_earlier(until, s->look_at) : until);
}

/*
 * The TPR and the PPR that the processor goes by are those of the page, whoever has written there.
 *
 * AVIC ignores V_IRQ, by which an interrupt's window is told. So while one is wanted it is looked
 * again and again whether the guest is open; once it is, AVIC stays off for one entry, which is the
 * exit that was asked for before it is anything else.
 *
 * An interrupt that has come in may have been the timer's, a little early, and the stay goes on all
 * the same if it finds a posted request (vcpu_take_posted()): the timer is set anew then.
 */
void svm_apic_prepare(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);
    struct vmcb *vmcb = s->vmcb;
    uint32_t *page = page_of(vmcb);
    uint8_t tpr = (uint8_t)page[REG_TPR / 4];
    bool window = wants_window(vmcb);
    uint64_t vintr = VINT_MASKING | tpr >> 4 | (uint64_t)s->avic << VINT_AVIC_SHIFT;

    if (window)
        vintr |= VINT_REQUEST;
    if (window && !v->nmis_waiting && virt_irq_open(v))
        vintr &= ~(VINT_AVIC | VINT_X2AVIC);
    page[REG_PPR / 4] = ppr(page, tpr);
    pass_x2apic(s, vintr & VINT_X2AVIC);
    set_vintr(v, vintr);
    if (window || v->exit.kind == VIRT_EXIT_HOST)
        set_timer(v, window);
}

/* ---- Exits ---- */

/* Registers whose writing exits when it has been done; all else exits before. */
static bool is_written(unsigned offset)
{
    static const uint64_t traps = 1UL << 0x02 |    /* ID */
                                  0x1FUL << 0x0B | /* EOI, remote read, LDR, DFR, SVR */
                                  1UL << 0x28 |    /* ESR */
                                  1UL << 0x30 |    /* ICR's lower half */
                                  0x7FUL << 0x32 | /* LVT, initial count */
                                  1UL << 0x3E;     /* divide configuration */

    if (offset >= REG_EXT_LVT0 && offset <= REG_EXT_LVT3)
        return svm_has(FEATURE_AVIC_EXT_LVT);
    return offset < 0x400 && traps >> (offset >> 4) & 1;
}

/* The value is in the page, in whole; RIP is at the next instruction. */
static void written(struct virt_exit *x, unsigned offset)
{
    x->kind = VIRT_EXIT_APIC_WRITE;
    x->apic.offset = (uint16_t)offset;
}

static bool is_served(const struct vmcb *vmcb, uint8_t vector)
{
    return page_of(vmcb)[REG_ISR / 4 + vector / 32 * 4] >> vector % 32 & 1;
}

/* As memory without rights, like VT-x's. */
static void refused(const struct vmcb *vmcb, struct virt_exit *x, bool write)
{
    x->kind = VIRT_EXIT_MEMORY;
    x->memory.gpa = gpa(vmcb->avic_bar + (vmcb->exit_info1 & AVIC_ACCESS_OFFSET));
    x->memory.gva = gva(0);
    x->memory.gva_valid = x->memory.page_walk = x->memory.fetch = false;
    x->memory.read = !write;
    x->memory.write = write;
    x->memory.present = true;
    x->memory.delivery = vmcb->exit_int_info & EVENT_VALID;
}

/* The EOI is of a level-triggered interrupt then, and the APM does not say whether the processor
 * has taken that out of the ISR. */
static void decode_access(const struct vmcb *vmcb, struct virt_exit *x)
{
    unsigned offset = vmcb->exit_info1 & AVIC_ACCESS_OFFSET;
    bool write = vmcb->exit_info1 & AVIC_ACCESS_WRITE;
    uint8_t vector = vmcb->exit_info2 & AVIC_EOI_VECTOR;

    if (!write || !is_written(offset)) {
        refused(vmcb, x, write);
    } else if (offset == REG_EOI && !is_served(vmcb, vector)) {
        x->kind = VIRT_EXIT_EOI;
        x->apic.vector = vector;
    } else {
        written(x, offset);
    }
}

bool svm_apic_decode(const struct virt_vcpu *v, uint32_t code, struct virt_exit *x)
{
    if (code == EXITCODE_AVIC_ACCESS)
        decode_access(vmcb_of(v), x);
    else if (code == EXITCODE_AVIC_IPI) /* whatever has kept it back: nobody has it yet */
        written(x, REG_ICR_LOW);
    else
        return false;
    return true;
}
