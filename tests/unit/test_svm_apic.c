/* links: svm/apic.c svm/msr.c virt/msr.c tests/fakes/spec.c svm/event.c svm/exit.c svm/decode.c svm/flush.c virt/event.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c tests/fakes/avic.c tests/fakes/heap.c tests/fakes/panic.c */
/*
 * svm/apic.c with the local APIC of devices/ and a model of the CPU (tests/fakes/avic.h): which of
 * the two carries out what, that nothing is done twice or by nobody, and the way around V_IRQ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/tsc.h"
#include "devices/vlapic.h"
#include "lib/time.h"
#include "mm/heap.h"
#include "svm/apic.h"
#include "svm/caps.h"
#include "svm/event.h"
#include "svm/exit.h"
#include "svm/flush.h"
#include "svm/msr.h"
#include "tests/fakes/avic.h"
#include "tests/fakes/heap.h"
#include "virt/registers.h"

#define OWNER  7
#define BASE   VLAPIC_DEFAULT_BASE
#define IDS    4
#define RIP    0x1000
#define PERIOD 20 /* ticks between two looks */

#define TPR      0x80
#define PPR      0xA0
#define EOI      0xB0
#define DFR      0xE0
#define SVR      0xF0
#define ICR_LOW  0x300
#define ICR_HIGH 0x310
#define LVT0     0x350

uint64_t tsc_hz = 65536 * PERIOD;
struct svm_caps svm_caps;

/* ---- Around it ---- */

static uint64_t timer;
static unsigned timers;

void lapic_timer_set(uint64_t deadline)
{
    timer = deadline;
    timers++;
}

unsigned virt_fetch(struct virt_vcpu *v, uint8_t bytes[15])
{
    (void)v;
    (void)bytes;
    return 0;
}

void cr_let_cr0_pass(struct svm_vcpu *s)
{
    (void)s;
}

uint64_t virt_efer(const struct virt_vcpu *v)
{
    (void)v;
    abort();
}

int virt_set_efer(struct virt_vcpu *v, uint64_t value)
{
    (void)v;
    (void)value;
    abort();
}

void virt_set_tsc_offset(struct virt_vcpu *v, uint64_t offset)
{
    (void)v;
    (void)offset;
    abort();
}

void registers_put_soft(struct virt_vcpu *v, enum virt_soft_msr which, uint64_t value)
{
    (void)v;
    (void)which;
    (void)value;
    abort();
}

static struct cpuid_regs no_cpuid(uint32_t leaf, uint32_t sub)
{
    (void)leaf;
    (void)sub;
    return (struct cpuid_regs){ 0 };
}

/* What the local APIC has told its machine. */
struct told {
    unsigned messages, eois;
    struct apic_message message;
    uint8_t eoi;
};

static void on_send(void *ctx, const struct apic_message *m)
{
    struct told *t = ctx;

    t->message = *m;
    t->message.from = NULL; /* two that are compared are not the same one */
    t->messages++;
}

static void on_eoi(void *ctx, uint8_t vector)
{
    struct told *t = ctx;

    t->eoi = vector;
    t->eois++;
}

static struct virt_vcpu v;
static struct vlapic lapic;
static struct vlapic_page *page;
static struct told told;
static const struct vlapic_bus bus = { .ctx = &told, .send_ipi = on_send, .eoi = on_eoi };

static struct vmcb *vmcb(void)
{
    return vmcb_of(&v);
}

static struct virt_vcpu_config config_of_page(void)
{
    return (struct virt_vcpu_config){
        .owner_id = OWNER, .apic_page = heap_to_maddr(page), .apic_base = gpa(BASE), .apic_ids = IDS
    };
}

static int setup(void **state)
{
    (void)state;
    svm_caps = (struct svm_caps){ .asids = 16, .features = FEATURE_NEXT_RIP | FEATURE_AVIC };
    v = (struct virt_vcpu){ .owner_id = OWNER, .due = TIME_NEVER, .deadline = 1000000 };
    v.exit.kind = VIRT_EXIT_HLT;
    avic_ways = (struct avic_ways){ 0 };
    told = (struct told){ 0 };
    timers = 0;
    fake_tsc = 5000;
    page = heap_pages(0, OWNER);
    svm_of(&v)->vmcb = heap_pages(0, OWNER);
    svm_of(&v)->msr_map = heap_pages(MSR_MAP_ORDER + 1, OWNER);
    fake_cpuid = no_cpuid;
    msr_map_fill(svm_of(&v)->msr_map);
    vmcb()->msrpm = heap_to_maddr(svm_of(&v)->msr_map).v;
    vmcb()->rflags = RFLAGS_FIXED | RFLAGS_IF;
    vmcb()->rip = RIP;
    vmcb()->vintr = VINT_MASKING;
    vmcb_intercept(vmcb(), ICPT_CR_READ + 8, true);
    vmcb_intercept(vmcb(), ICPT_CR_WRITE + 8, true);
    const struct virt_vcpu_config config = config_of_page();
    svm_apic_create(&v, &config);
    vlapic_init(&lapic, 1, 1000000000, &bus, page);
    lapic.dev.ops->write(&lapic.dev, SVR, 4, 0x1FF, 0);
    virt_set_apic_mode(&v, VIRT_APIC_PAGE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    heap_free_pages(svm_of(&v)->msr_map, MSR_MAP_ORDER + 1, OWNER);
    heap_free_pages(vmcb(), 0, OWNER);
    heap_free_pages(page, 0, OWNER);
    assert_int_equal(frame_count(OWNER), 0);
    return 0;
}

/* As the loop and run_once() do: what is requested enters the IRR, then the guest. */
static enum avic_first enter(uint8_t *vector)
{
    vlapic_settle(&lapic);
    if (event_waits(&v, svm_of(&v)))
        svm_event_prepare(&v);
    if (v.delivers)
        assert_int_equal(vmcb()->vintr & VINT_TPR, page->reg[TPR / 16].value >> 4 & 15);
    enum avic_first first = avic_enter(vmcb(), vector);
    vmcb()->event_inj = 0;
    return first;
}

static void assert_takes(uint8_t vector)
{
    uint8_t taken = 0;

    assert_int_equal(enter(&taken), AVIC_TAKES);
    assert_int_equal(taken, vector);
}

static void assert_runs(void)
{
    uint8_t vector;

    assert_int_equal(enter(&vector), AVIC_RUNS);
    assert_true(vmcb()->vintr & VINT_AVIC);
}

static void open_guest(void)
{
    vmcb()->rflags |= RFLAGS_IF;
}

static struct virt_exit decoded(void)
{
    struct virt_exit x = { 0 };

    (void)exit_decode(&v, svm_of(&v), &x);
    return x;
}

/* What exits/ does about it. */
static void act_on(const struct virt_exit *x, uint32_t value)
{
    if (x->kind == VIRT_EXIT_APIC_WRITE) {
        vlapic_written(&lapic, x->apic.offset, 0);
    } else if (x->kind == VIRT_EXIT_EOI) {
        vlapic_eoi_reported(&lapic, x->apic.vector);
    } else {
        assert_int_equal(x->kind, VIRT_EXIT_MEMORY);
        assert_true(x->memory.write);
        lapic.dev.ops->write(&lapic.dev, (uint32_t)(x->memory.gpa.v - BASE), 4, value, 0);
        vmcb()->rip += AVIC_INSN;
    }
}

/* The guest's write, wherever it leads. True if it has exited. */
static bool guest_writes(uint32_t offset, uint32_t value)
{
    if (!avic_write(vmcb(), offset, value))
        return false;
    const struct virt_exit x = decoded();
    act_on(&x, value);
    return true;
}

/* ---- Its making ---- */

/* All that can be named leads out: each id to a page that is nobody's, no logical id anywhere. */
static void test_tables(void **state)
{
    const uint64_t *physical = heap_from_maddr(maddr(vmcb()->avic_physical & PAGE_MASK));
    const uint32_t *logical = heap_from_maddr(maddr(vmcb()->avic_logical));

    (void)state;
    assert_int_equal(vmcb()->avic_physical & ~PAGE_MASK, IDS - 1);
    assert_int_equal(vmcb()->avic_bar, BASE);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(physical[i], i < IDS ? 1UL << 63 | vmcb()->avic_logical : 0);
    for (unsigned i = 0; i < 1024; i++)
        assert_int_equal(logical[i], 0);
}

/* Nothing of it where it is not to be used: what svm/vcpu.c has not called svm_apic_create() for.
 */
static void test_without(void **state)
{
    struct virt_vcpu other = { .owner_id = OWNER };
    struct vmcb bare = { .vintr = VINT_MASKING };

    (void)state;
    svm_of(&other)->vmcb = &bare;
    svm_caps.features &= ~FEATURE_AVIC;
    virt_set_apic_mode(&other, VIRT_APIC_PAGE);
    const struct vmcb untouched = { .vintr = VINT_MASKING };
    assert_memory_equal(&bare, &untouched, sizeof(bare));
    assert_false(other.delivers || event_waits(&other, svm_of(&other)));
}

static bool is_intercepted(unsigned what)
{
    return vmcb()->intercepts[what / 32] >> what % 32 & 1;
}

/* On in xAPIC mode in its place; whatever is cached of the page goes with each change. */
static void test_mode(void **state)
{
    static const enum virt_apic_mode others[] = { VIRT_APIC_OFF, VIRT_APIC_MSRS, VIRT_APIC_MOVED };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        svm_of(&v)->asid_generation = 1;
        assert_false(vmcb()->clean & CLEAN_INTERCEPTS);
        assert_runs();
        assert_true(v.delivers && svm_of(&v)->asid_generation == FLUSH_NO_ASID);
        assert_false(is_intercepted(ICPT_CR_READ + 8) || is_intercepted(ICPT_CR_WRITE + 8));
        assert_false(vmcb()->clean & CLEAN_TPR);
        assert_false(avic_write_cr8(vmcb(), 5));
        svm_of(&v)->asid_generation = 1;
        assert_runs(); /* nothing has changed */
        assert_int_equal(svm_of(&v)->asid_generation, 1);
        vmcb()->clean = CLEAN_ALL;

        virt_set_apic_mode(&v, others[i]);
        assert_false(vmcb()->clean & CLEAN_INTERCEPTS);
        assert_false(v.delivers || event_waits(&v, svm_of(&v)));
        assert_int_equal(vmcb()->vintr, VINT_MASKING);
        assert_true(is_intercepted(ICPT_CR_READ + 8) && is_intercepted(ICPT_CR_WRITE + 8));
        assert_int_equal(svm_of(&v)->asid_generation, FLUSH_NO_ASID);
        assert_false(vmcb()->clean & CLEAN_TPR);
        vmcb()->clean = CLEAN_ALL;
        virt_set_apic_mode(&v, VIRT_APIC_PAGE);
    }
}

/* ---- Registers ---- */

/* Each access to each of the page's 256 places: it is memory without rights if RIP still stands at
 * the instruction, and has been written if not. No other place is reached. */
static void accesses(void)
{
    const struct vlapic_posted before = page->posted;
    uint32_t value;

    for (uint32_t offset = 0; offset < 0x1000; offset += 0x10) {
        vmcb()->rip = RIP;
        if (avic_read(vmcb(), offset, &value)) {
            const struct virt_exit x = decoded();
            assert_int_equal(x.kind, VIRT_EXIT_MEMORY);
            assert_int_equal(x.memory.gpa.v, BASE + offset);
            assert_true(x.memory.read && x.memory.present && vmcb()->rip == RIP);
            assert_false(x.memory.write || x.memory.fetch || x.memory.gva_valid ||
                         x.memory.page_walk || x.memory.delivery);
        }
        vmcb()->rip = RIP;
        if (offset == EOI || !avic_write(vmcb(), offset, 0x71))
            continue;
        const struct virt_exit x = decoded();
        if (x.kind == VIRT_EXIT_APIC_WRITE) {
            assert_int_equal(x.apic.offset, offset);
            assert_int_equal(vmcb()->rip, RIP + AVIC_INSN);
            assert_int_equal(*(uint32_t *)((char *)page + offset), 0x71);
        } else {
            assert_int_equal(x.kind, VIRT_EXIT_MEMORY);
            assert_true(x.memory.write && !x.memory.read && x.memory.present);
            assert_int_equal(x.memory.gpa.v, BASE + offset);
            assert_int_equal(vmcb()->rip, RIP);
        }
    }
    assert_memory_equal(&page->posted, &before, sizeof(before));
}

static void test_accesses(void **state)
{
    (void)state;
    assert_runs();
    accesses();
    avic_ways.ext_lvt = true;
    svm_caps.features |= FEATURE_AVIC_EXT_LVT;
    accesses();
}

/* An access in the course of an event's delivery is no instruction's. */
static void test_delivery_into_the_page(void **state)
{
    uint32_t value;

    (void)state;
    assert_runs();
    assert_true(avic_read(vmcb(), 0x390, &value));
    vmcb()->exit_int_info = EVENT_VALID | 0x31;
    assert_true(decoded().memory.delivery);
    assert_true(v.pending.valid && v.pending.vector == 0x31);
}

/* What is no register's value is put right in the page. */
static void test_values(void **state)
{
    uint32_t value;

    (void)state;
    assert_runs();
    assert_true(guest_writes(0x20, 0x77000000));
    assert_false(avic_read(vmcb(), 0x20, &value));
    assert_int_equal(value, 1u << 24);
    assert_true(guest_writes(LVT0, 0xFFFFFFFF));
    assert_false(avic_read(vmcb(), LVT0, &value));
    assert_int_equal(value, 0x1A7FF);
    assert_true(guest_writes(0x200, 0xFFFFFFFF)); /* the IRR is not to be written */
    assert_int_equal(vlapic_pending(&lapic), -1);
}

/* Not AVIC's codes while it is off: nobody knows what such an exit would be. */
static void test_unknown(void **state)
{
    (void)state;
    virt_set_apic_mode(&v, VIRT_APIC_OFF);
    for (uint32_t code = EXITCODE_AVIC_IPI; code <= EXITCODE_AVIC_ACCESS + 1; code++) {
        vmcb()->exit_code = code;
        assert_int_equal(decoded().kind, VIRT_EXIT_UNKNOWN);
        assert_int_equal(decoded().raw_reason, code);
    }
    virt_set_apic_mode(&v, VIRT_APIC_PAGE);
    assert_int_equal(decoded().kind, VIRT_EXIT_UNKNOWN);
}

/* ---- Interrupts ---- */

static void test_edge(void **state)
{
    (void)state;
    vlapic_accept(&lapic, 0x45, false);
    vlapic_accept(&lapic, 0x61, false);
    assert_takes(0x61);
    open_guest();
    assert_runs(); /* the other one has the lower class */
    assert_false(guest_writes(EOI, 0));
    assert_takes(0x45);
    open_guest();
    assert_false(guest_writes(EOI, 0));
    assert_false(guest_writes(EOI, 0));
    assert_runs();
    assert_int_equal(told.eois, 0);
}

static void test_closed(void **state)
{
    (void)state;
    vmcb()->rflags &= ~RFLAGS_IF;
    vlapic_accept(&lapic, 0x45, false);
    assert_runs();
    open_guest();
    vmcb()->int_state = SHADOW_ACTIVE;
    assert_runs();
    vmcb()->int_state = 0;
    assert_takes(0x45);
}

/* The I/O APIC hears of its end once, by either of the ways that the APM leaves open. */
static void test_level(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        avic_ways.eoi_clears = i;
        told.eois = 0;
        vlapic_accept(&lapic, 0x45, false);
        assert_takes(0x45);
        open_guest();
        vlapic_accept(&lapic, 0x71, true);
        assert_takes(0x71);
        open_guest();
        assert_true(guest_writes(EOI, 0));
        assert_int_equal(told.eois, 1);
        assert_int_equal(told.eoi, 0x71);
        assert_runs();
        vlapic_accept(&lapic, 0x55, false); /* above the one that is still served */
        assert_takes(0x55);
        open_guest();
        assert_false(guest_writes(EOI, 0) || guest_writes(EOI, 0));
        assert_int_equal(told.eois, 1);
        assert_runs();
    }
}

/* The TPR by all ways; the last is an emulated access, as while the page is not mapped. */
static void test_tpr(void **state)
{
    uint32_t value;

    (void)state;
    assert_runs();
    vlapic_accept(&lapic, 0x45, false);
    assert_false(guest_writes(TPR, 0x4F));
    assert_runs();
    assert_int_equal(vlapic_cr8(&lapic), 4);
    assert_false(avic_read(vmcb(), PPR, &value));
    assert_int_equal(value, 0x4F);
    assert_false(avic_write_cr8(vmcb(), 3));
    assert_takes(0x45);
    open_guest();
    assert_false(guest_writes(EOI, 0));
    vlapic_accept(&lapic, 0x45, false);
    lapic.dev.ops->write(&lapic.dev, TPR, 4, 0x52, 0);
    assert_runs();
    assert_false(avic_read(vmcb(), PPR, &value));
    assert_int_equal(value, 0x52);
    lapic.dev.ops->write(&lapic.dev, TPR, 4, 0x30, 0);
    assert_takes(0x45);
}

/* And the EOI: an interrupt of the same class waits for it. */
static void test_emulated_eoi(void **state)
{
    (void)state;
    vlapic_accept(&lapic, 0x45, false);
    assert_takes(0x45);
    open_guest();
    vlapic_accept(&lapic, 0x48, false);
    assert_runs();
    lapic.dev.ops->write(&lapic.dev, EOI, 4, 0, 0);
    assert_takes(0x48);
}

/* What wakes it from HLT. */
static void test_due(void **state)
{
    uint32_t value;

    (void)state;
    assert_false(virt_interrupt_due(&v, 0));
    vlapic_accept(&lapic, 0x4F, false);
    vlapic_settle(&lapic);
    assert_true(virt_interrupt_due(&v, 0x3F));
    assert_false(virt_interrupt_due(&v, 0x40));
    vlapic_accept(&lapic, 0x5F, false);
    assert_takes(0x5F);
    assert_false(virt_interrupt_due(&v, 0));
    assert_runs();
    assert_false(avic_read(vmcb(), PPR, &value));
    assert_int_equal(value, 0x50);
    vlapic_accept(&lapic, 0x60, false);
    vlapic_settle(&lapic);
    assert_true(virt_interrupt_due(&v, 0));
}

/* ---- What it sends ---- */

static uint32_t dfr; /* flat, or clusters of four */

/* A logical destination without a bit. */
static bool is_for_nobody(uint32_t high, uint32_t low)
{
    bool logical = low >> 11 & 1 && !(low >> 18 & 3);

    return logical && !(high >> 24 & (dfr >> 28 ? 0xFF : 0xF));
}

static void restart(struct vlapic *l, const struct vlapic_bus *to, struct vlapic_page *of)
{
    vlapic_init(l, 1, 1000000000, to, of);
    l->dev.ops->write(&l->dev, SVR, 4, 0x1FF, 0);
    l->dev.ops->write(&l->dev, DFR, 4, dfr, 0);
}

static void compare(uint32_t high, uint32_t low)
{
    static struct vlapic alone; /* with no CPU to help it */
    static struct vlapic_page its_page;
    struct told its = { 0 };
    const struct vlapic_bus its_bus = { .ctx = &its, .send_ipi = on_send, .eoi = on_eoi };
    uint32_t value;

    restart(&alone, &its_bus, &its_page);
    alone.dev.ops->write(&alone.dev, ICR_HIGH, 4, high, 0);
    alone.dev.ops->write(&alone.dev, ICR_LOW, 4, low, 0);
    restart(&lapic, &bus, page);
    told = (struct told){ 0 };
    assert_false(guest_writes(ICR_HIGH, high));
    vmcb()->rip = RIP;
    if (!guest_writes(ICR_LOW, low) && is_for_nobody(high, low))
        return;
    assert_int_equal(vmcb()->rip, RIP + AVIC_INSN);
    assert_int_equal(told.messages, its.messages);
    assert_memory_equal(&told.message, &its.message, sizeof(its.message));
    assert_int_equal(vlapic_pending(&lapic), vlapic_pending(&alone));
    assert_int_equal(lapic.esr_pending, alone.esr_pending);
    assert_false(avic_read(vmcb(), ICR_LOW, &value));
    assert_int_equal(value & 0xCCFFF, low & 0xCCFFF);
}

/* All modes, logical or not, by all shorthands and triggers. */
static void compare_all(uint32_t high)
{
    for (uint32_t n = 0; n < 1u << 8; n++) {
        uint32_t icr = (n & 15) << 8 | (n >> 4 & 3) << 14 | (n >> 6) << 18;
        compare(high, icr | 0x51);
        compare(high, icr | 0x0F);
        compare(high | 0xABCDEF, icr | 0xFF);
    }
}

/* All kinds of interrupts to all kinds of addressees: the machine is told the same as without AVIC,
 * and all that the processor has written is the sender's own request, and the sink. */
static void test_icr(void **state)
{
    static const uint8_t dests[] = { 0, 1, 2, 3, IDS, 0x0F, 0x10, 0x13, 0x80, 0xF0, 0xFE, 0xFF };

    (void)state;
    assert_runs();
    for (unsigned cluster = 0; cluster < 2; cluster++) {
        dfr = cluster ? 0x0FFFFFFF : 0xFFFFFFFF;
        for (unsigned i = 0; i < sizeof(dests); i++)
            compare_all((uint32_t)dests[i] << 24);
    }
    assert_int_equal(avic_ways.doorbells, 0);
}

static void test_to_itself(void **state)
{
    (void)state;
    assert_runs();
    assert_false(guest_writes(ICR_LOW, 1u << 18 | 0x51));
    assert_takes(0x51);
    assert_int_equal(told.messages, 0);
}

/* ---- By MSR ---- */

#define MSR_EOI 0x80B

static void by_msr(void)
{
    svm_caps.features |= FEATURE_X2AVIC;
    lapic.base |= APICBASE_X2APIC;
    virt_set_apic_mode(&v, VIRT_APIC_MSRS);
    assert_true(v.delivers);
}

static unsigned passing(void)
{
    unsigned n = 0;
    uint64_t value = 0;

    for (uint32_t msr = 0x800; msr <= 0x8FF; msr++) {
        vmcb()->exit_code = EXITCODE_MSR;
        n += !avic_rdmsr(vmcb(), msr, &value);
        assert_int_equal(vmcb()->exit_code, EXITCODE_MSR);
        n += !avic_wrmsr(vmcb(), msr, value);
        assert_int_equal(vmcb()->exit_code, EXITCODE_MSR);
    }
    return n;
}

/* What passes is the processor's to answer, and it does so without an exit; all else is intercepted
 * and so known by its MSR exit. 2 + TPR + PPR + LDR + SVR + 25 + 7 + 1 to read, 2 to write. */
static void test_msrs(void **state)
{
    (void)state;
    assert_runs();
    assert_int_equal(passing(), 0);
    by_msr();
    vmcb()->clean = CLEAN_ALL;
    assert_int_equal(passing(), 0); /* x2AVIC is not on before the entry */
    assert_runs();
    assert_int_equal(vmcb()->vintr, VINT_MASKING | VINT_AVIC | VINT_X2AVIC);
    assert_false(vmcb()->clean & CLEAN_MAPS);
    assert_int_equal(passing(), 41);
    virt_set_apic_mode(&v, VIRT_APIC_PAGE);
    assert_runs();
    assert_int_equal(vmcb()->vintr, VINT_MASKING | VINT_AVIC);
    assert_int_equal(passing(), 0);
}

/* No guest gets at the machine's own x2APIC, in whatever order its mode ends and INIT comes. */
static void test_msrs_never_pass_alone(void **state)
{
    static const enum virt_apic_mode others[] = { VIRT_APIC_OFF, VIRT_APIC_PAGE, VIRT_APIC_MOVED };

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        by_msr();
        assert_runs();
        if (i >= 3)
            vmcb()->vintr = VINT_MASKING; /* virt_reset() */
        virt_set_apic_mode(&v, others[i % 3]);
        vmcb()->clean = CLEAN_ALL;
        if (v.delivers)
            assert_runs();
        else
            assert_false(vmcb()->vintr & (VINT_AVIC | VINT_X2AVIC));
        assert_int_equal(passing(), 0);
    }
    svm_caps.features &= ~FEATURE_X2AVIC; /* AVIC alone */
    virt_set_apic_mode(&v, VIRT_APIC_MSRS);
    assert_false(v.delivers || event_waits(&v, svm_of(&v)));
    assert_int_equal(passing(), 0);
}

static void test_interrupts_by_msr(void **state)
{
    (void)state;
    by_msr();
    vlapic_accept(&lapic, 0x45, false);
    assert_takes(0x45);
    open_guest();
    vlapic_accept(&lapic, 0x71, true);
    assert_takes(0x71);
    open_guest();
    assert_false(avic_wrmsr(vmcb(), 0x808, 0x80));
    vlapic_accept(&lapic, 0x75, false);
    assert_runs();
    assert_true(avic_wrmsr(vmcb(), MSR_EOI, 0));
    const struct virt_exit x = decoded();
    act_on(&x, 0);
    assert_int_equal(told.eois, 1);
    assert_int_equal(told.eoi, 0x71);
    assert_false(avic_wrmsr(vmcb(), 0x808, 0));
    assert_takes(0x75);
    open_guest();
    assert_false(avic_wrmsr(vmcb(), MSR_EOI, 0));
    assert_false(avic_wrmsr(vmcb(), MSR_EOI, 0));
    assert_runs();
    assert_int_equal(told.eois, 1);
    assert_true(avic_wrmsr(vmcb(), 0x830, 0x51));
    assert_int_equal(decoded().kind, VIRT_EXIT_WRMSR);
}

/* While AVIC is off for the entry that exits at once, none of them passes. */
static void test_window_by_msr(void **state)
{
    uint8_t vector;

    (void)state;
    by_msr();
    vmcb()->rflags &= ~RFLAGS_IF;
    virt_want_irq_window(&v, true);
    assert_runs();
    open_guest();
    assert_int_equal(enter(&vector), AVIC_VINTR);
    assert_false(vmcb()->vintr & (VINT_AVIC | VINT_X2AVIC));
    assert_int_equal(passing(), 0);
    event_irq_window(svm_of(&v), false);
    assert_runs();
    assert_int_equal(passing(), 41);
}

/* ---- The window ---- */

/* Wanted while the guest is closed: the timer brings it out to be looked at, not later than the
 * stay's end, and no exit in between puts the look off. When it is open it comes out before its
 * first instruction, with AVIC off and nothing cached from then. */
static void window(void)
{
    uint64_t start = fake_tsc;
    uint8_t vector;

    vmcb()->rflags &= ~RFLAGS_IF;
    virt_want_irq_window(&v, true);
    vlapic_accept(&lapic, 0x45, false);
    for (unsigned i = 0; i < PERIOD; i++, fake_tsc++) {
        assert_runs();
        assert_int_equal(timer, start + PERIOD);
    }
    assert_runs();
    assert_int_equal(timer, start + 2 * PERIOD);
    v.due = fake_tsc + 3;
    assert_runs();
    assert_int_equal(timer, v.due);
    v.due = TIME_NEVER;

    open_guest();
    svm_of(&v)->asid_generation = 1;
    assert_int_equal(enter(&vector), AVIC_VINTR);
    assert_int_equal(svm_of(&v)->asid_generation, FLUSH_NO_ASID);
    assert_int_equal(decoded().kind, VIRT_EXIT_IRQ_WINDOW);
    event_irq_window(svm_of(&v), false); /* as svm_run_settle() */
    const struct event irq = { .valid = true, .type = EVENT_EXTINT, .vector = 0x08 };
    assert_true(virt_irq_open(&v) && virt_inject(&v, &irq));
    svm_of(&v)->asid_generation = 1;
    assert_int_equal(enter(&vector), AVIC_INJECTS);
    assert_int_equal(vmcb()->vintr, VINT_MASKING | VINT_AVIC);
    assert_int_equal(svm_of(&v)->asid_generation, FLUSH_NO_ASID);
    open_guest();
    assert_takes(0x45);
    unsigned so_far = timers;
    assert_runs();
    assert_int_equal(timers, so_far);
}

static void test_window(void **state)
{
    (void)state;
    window();
    open_guest();
    assert_false(guest_writes(EOI, 0));
    fake_tsc += 1000;
    avic_ways.virq_lost = true;
    window();
}

/* What was to come in is gone, or came by another way: the wish ends, be it by an exit more. */
static void test_window_for_nothing(void **state)
{
    uint8_t vector;

    (void)state;
    avic_ways.virq_lost = true;
    vmcb()->rflags &= ~RFLAGS_IF;
    virt_want_irq_window(&v, true);
    assert_runs();
    virt_want_irq_window(&v, false);
    open_guest();
    if (enter(&vector) == AVIC_VINTR)
        event_irq_window(svm_of(&v), false);
    unsigned so_far = timers;
    assert_runs();
    assert_runs();
    assert_true(timers <= so_far + 1);
    assert_int_equal(vmcb()->vintr, VINT_MASKING | VINT_AVIC);
}

/* An event that is injected comes first: its handler would run without AVIC. */
static void test_window_behind_event(void **state)
{
    uint8_t vector;

    (void)state;
    virt_want_irq_window(&v, true);
    assert_true(virt_inject_exception(&v, VECTOR_GP));
    assert_int_equal(enter(&vector), AVIC_INJECTS);
    assert_true(vmcb()->vintr & VINT_AVIC);
    open_guest();
    vmcb()->int_state = SHADOW_ACTIVE;
    assert_runs();
    vmcb()->int_state = 0;
    assert_int_equal(enter(&vector), AVIC_VINTR);
}

/* A second NMI waits behind the first, and for an IRET to be executed; it comes before a window. */
static void test_nmi(void **state)
{
    struct svm_vcpu *s = svm_of(&v);
    uint8_t vector;

    (void)state;
    v.nmis_waiting = 2;
    assert_int_equal(enter(&vector), AVIC_INJECTS);
    event_iret(s);
    assert_runs();
    assert_int_equal(timers, 1); /* by event.c */
    virt_want_irq_window(&v, true);
    open_guest();
    vmcb()->rip += 2;
    assert_int_equal(enter(&vector), AVIC_INJECTS);
    assert_true(vmcb()->vintr & VINT_AVIC);
    open_guest();
    assert_int_equal(enter(&vector), AVIC_VINTR);
}

/* An interrupt of the machine's that did not end the stay may have been the timer's. */
static void test_timer_after_interrupt(void **state)
{
    (void)state;
    assert_runs();
    assert_int_equal(timers, 0);
    v.exit.kind = VIRT_EXIT_HOST;
    v.due = v.deadline - 1;
    assert_runs();
    assert_int_equal(timers, 1);
    assert_int_equal(timer, v.due);
    v.exit.kind = VIRT_EXIT_HLT;
    assert_runs();
    assert_int_equal(timers, 1);
}

/* INIT: the VMCB is as new, and AVIC is on again at the next entry. */
static void test_reset(void **state)
{
    (void)state;
    assert_runs();
    assert_false(avic_write_cr8(vmcb(), 7));
    vmcb()->vintr = VINT_MASKING; /* virt_reset() */
    vlapic_init_signal(&lapic);
    assert_runs();
    assert_int_equal(vmcb()->vintr, VINT_MASKING | VINT_AVIC);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tables),
        TEST(test_without),
        TEST(test_mode),
        TEST(test_accesses),
        TEST(test_delivery_into_the_page),
        TEST(test_values),
        TEST(test_unknown),
        TEST(test_edge),
        TEST(test_closed),
        TEST(test_level),
        TEST(test_tpr),
        TEST(test_emulated_eoi),
        TEST(test_due),
        TEST(test_icr),
        TEST(test_to_itself),
        TEST(test_msrs),
        TEST(test_msrs_never_pass_alone),
        TEST(test_interrupts_by_msr),
        TEST(test_window_by_msr),
        TEST(test_window),
        TEST(test_window_for_nothing),
        TEST(test_window_behind_event),
        TEST(test_nmi),
        TEST(test_timer_after_interrupt),
        TEST(test_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
