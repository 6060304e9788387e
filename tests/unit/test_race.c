/* clang-format off */
/* links: emulate/task_switch.c devices/vfwcfg.c tests/fakes/entry_state.c emulate/string_insn.c exits/device_access.c exits/run.c devices/vioapic.c domain/owed.c devices/vpci.c virt/start.c domain/lapic.c xen/pv_vcpu.c tests/fakes/evtchn.c xen/pv_time.c xen/pv_console.c emulate/mmio.c emulate/mmio_memory.c emulate/mmio_stack.c emulate/operate.c emulate/vector.c emulate/x87.c emulate/selector.c emulate/insn_cache.c decode/alu.c decode/decode.c decode/decode_form.c emulate/operand.c emulate/breakpoint.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c devices/vpic.c virt/slat.c arch/x86/tsc.c lib/fmt.c lib/string.c tests/fakes/bus.c tests/fakes/guest.c tests/fakes/race.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c exits/state.c */
/* clang-format on */
/*
 * What Caisson reads of a guest's memory without being called: vcpu_info before each entry, the
 * console's ring, the code and the operands of an instruction on device memory, the page tables on
 * the way; the tasks of a hardware task switch; requests of fw_cfg. All of it changes with each
 * read (tests/fakes/race.h); calls are tried so by test_arguments.c and test_storm.c.
 *
 * Also what the loop does of its own accord, as it runs here: it ends a domain by its last halt,
 * and tells the processor of requests that others post for the local APIC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "exits/run.h"
#include "exits/exit.h"
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "devices/vfwcfg.h"
#include "exits/debug.h"
#include "exits/device_access.h"
#include "domain/domain_console.h"
#include "domain/lapic.h"
#include "domain/msr.h"
#include "xen/pv_console.h"
#include "emulate/task_switch.h"
#include "guestmem/gmem.h"
#include "include/public/io/console.h"
#include "mm/heap.h"
#include "sched/watch.h"
#include "tests/fakes/bus.h"
#include "tests/fakes/entry_state.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/race.h"

#define UPCALL 0x60
#define CODE   0x7000ul
#define DATA   0x8000ul
#define HOLE   0xd0000000ul

static uint64_t seed, entries, printed;
static unsigned runs; /* of each test */

static uint32_t any(void)
{
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (uint32_t)(seed >> 33);
}

/* ---- The rest of the machine ---- */

/* A stay in the guest ends at once, and the vCPU is to give way. */
bool virt_stay(struct virt_vcpu *v, uint64_t now, const struct virt_action actions[VIRT_EXIT_KINDS])
{
    (void)now;
    (void)actions;
    entries++;
    v->exit = (struct virt_exit){ .kind = VIRT_EXIT_HOST };
    return true;
}

void virt_irqs_served(struct virt_vcpu *v)
{
    (void)v;
}

static void nothing(struct virt_vcpu *v, const struct virt_exit *x)
{
    (void)v;
    (void)x;
}

const struct virt_action exit_actions[VIRT_EXIT_KINDS] = { [VIRT_EXIT_HOST] = { NULL, nothing } };

static unsigned counted, tables, ended; /* vCPUs, their tables in the log, and domains */

void virt_count_exits(const struct virt_vcpu *v, struct virt_exits *sum)
{
    (void)v;
    (void)sum;
    counted++;
}

void virt_log_exits(const struct virt_exits *sum, const char *whose)
{
    (void)sum;
    (void)whose;
    tables++;
}

static void note_end(struct domain *d)
{
    (void)d;
    ended++;
}

void vcpu_load(struct vcpu *v)
{
    (void)v;
}

void vcpu_leave(struct sched_unit *u)
{
    (void)u;
}

void debug_arm(struct vcpu *v)
{
    (void)v;
}

int msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    (void)msr;
    (void)value;
    return 0;
}

void vcpu_take_init(struct vcpu *v)
{
    (void)v;
}

void vcpu_take_startup(struct vcpu *v)
{
    (void)v;
}

void pv_start_take(struct vcpu *v)
{
    (void)v;
}

void machine_tick(struct machine *m, uint64_t now)
{
    (void)m;
    (void)now;
}

void timer_set(struct timer *t, uint64_t deadline)
{
    (void)t;
    (void)deadline;
}

void timer_cancel(struct timer *t)
{
    (void)t;
}

static unsigned kicks; /* of the console, with the lock held */

struct xen_domain *xen_domain_get(uint16_t id)
{
    (void)id;
    return NULL;
}

void xen_domain_put(struct xen_domain *d)
{
    (void)d;
}

void domain_console_kick(struct domain *d)
{
    kicks += spin_is_locked(&d->lock);
}

void lapic_timer_set(uint64_t deadline)
{
    (void)deadline;
}

void sched_clear_pcpu(void)
{
}

static bool deadline_changed, goes_on;

bool sched_deadline_changed(void)
{
    return deadline_changed;
}

uint64_t sched_deadline(void)
{
    return UINT64_MAX;
}

bool sched_goes_on(void)
{
    return goes_on;
}

bool sched_halt_in_place(uint64_t until)
{
    (void)until;
    return false;
}

void sched_wake(struct sched_unit *u)
{
    (void)u;
}

void vcpu_request_dump(struct vcpu *v, enum vcpu_dump what)
{
    v->dump = what;
}

void gva_trace(struct gva_space *s, struct gva_trace *out)
{
    (void)s;
    (void)out;
}

static unsigned logged; /* parts of a post-mortem */

static void logs_without_lock(void)
{
    assert_false(spin_is_locked(&guest.lock));
    logged++;
}

void gva_log(const struct gva_trace *trace)
{
    (void)trace;
    logs_without_lock();
}

bool virt_dump_regs(const struct virt_vcpu *v, unsigned part)
{
    (void)v;
    logs_without_lock();
    return !part;
}

static size_t put(struct domain *d, const uint8_t *bytes, size_t n)
{
    (void)d;
    (void)bytes;
    printed += n;
    return n;
}

static void room(struct domain *d)
{
    (void)d;
}

static void send_ipi(void *ctx, const struct apic_message *m)
{
    (void)ctx;
    (void)m;
}

static void eoi(void *ctx, uint8_t vector)
{
    (void)ctx;
    (void)vector;
}

/* ---- A domain that runs ---- */

static struct vlapic_page lapic_page;
static const struct vlapic_bus bus = { .send_ipi = send_ipi, .eoi = eoi };
static const struct domain_hooks hooks = { .console_put = put,
                                           .console_room = room,
                                           .ended = note_end };

static size_t bus_put(struct xen_domain *d, const uint8_t *bytes, size_t n)
{
    return put(LIST_ENTRY(d, struct domain, xen), bytes, n);
}

static void bus_room(struct xen_domain *d)
{
    room(LIST_ENTRY(d, struct domain, xen));
}

static const struct xen_console_bus console_bus = { .put = bus_put, .room = bus_room };

static int setup(void **state)
{
    (void)state;
    guest_start();
    guest_vcpu.exit_actions = exit_actions;
    guest_mode(DECODE_64);
    bus_reset();
    domain_set_hooks(&hooks);
    seed = race_seed(20261129);
    entries = printed = 0;
    goes_on = deadline_changed = false;
    guest.state = DOMAIN_RUNNING;
    guest.xen.callback = UPCALL;
    guest.xen.vcpu_count = 0;
    pv_vcpu_init(&guest_vcpu.xen, &guest.xen, &guest_vcpu.unit);
    vlapic_init(&guest_vcpu.lapic, 0, 1000000000, &bus, &lapic_page);
    cpu()->rflags |= RFLAGS_IF;
    guest_write64(CODE, 0);
    guest_write64(DATA, 0);
    race_forget();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    race_forget();
    pv_console_destroy(&guest.xen);
    guest_stop();
    return 0;
}

static void watch_gfn(uint64_t g)
{
    mfn_t m;
    bool lent;

    if (p2m_lookup(&guest.p2m, gfn(g), &m, &lent) == 0)
        race_watch(heap_from_maddr(mfn_to_maddr(m)));
}

/* ---- Post-mortems ---- */

/* What is logged of a vCPU waits for the lines of other pCPUs, and nobody waits for it meanwhile.
 */
static void test_dump_without_lock(void **state)
{
    (void)state;
    logged = 0;
    guest.end = END_TRIPLE_FAULT;
    guest_vcpu.dumped = 0;
    guest_vcpu.dump = DUMP_ALL;
    guest_vcpu.unit.attention = true;
    for (unsigned i = 0; i < 8 && guest_vcpu.dump; i++)
        vcpu_run(&guest_vcpu.unit, UINT64_MAX);
    assert_int_equal(guest_vcpu.dump, DUMP_NOTHING);
    assert_int_equal(logged, 3); /* two of registers, one of page tables */
    assert_false(spin_is_locked(&guest.lock));
}

/* The boot CPU puts a state into a vCPU of a domain that it builds: no other may have it. */
static void test_not_while_it_is_built(void **state)
{
    unsigned before = entries;
    bool loaded = guest_vcpu.virt.loaded;

    (void)state;
    guest_vcpu.virt.loaded = false;
    guest_vcpu.out = true;
    guest_vcpu.unit.attention = true;
    assert_false(vcpu_run(&guest_vcpu.unit, UINT64_MAX));
    assert_int_equal(entries, before);
    assert_false(guest_vcpu.virt.loaded);
    guest_vcpu.out = false;
    guest_vcpu.virt.loaded = loaded;
}

/* ---- Upcalls ---- */

/* evtchn_upcall_pending goes on and off under the looks that are taken at it: what one look has
 * found is delivered, or nothing is; there is no vector but the upcall's. */
static void test_upcall(void **state)
{
    unsigned injected = 0;

    (void)state;
    race_watch(guest.xen.shared);
    for (unsigned i = 0; i < runs; i++) {
        cpu()->pending.valid = false;
        pv_vcpu_mark_pending(&guest_vcpu.xen);
        race_begin(RACE_CHANGE, i + 1);
        vcpu_run(&guest_vcpu.unit, UINT64_MAX);
        race_end();
        if (!cpu()->pending.valid)
            continue;
        assert_int_equal(cpu()->pending.vector, UPCALL);
        injected++;
    }
    assert_int_equal(entries, runs);
    assert_true(injected > runs / 2);
}

/* As many looks as there are events, and no more. */
static void test_upcall_is_read_once(void **state)
{
    (void)state;
    race_watch(guest.xen.shared);
    pv_vcpu_mark_pending(&guest_vcpu.xen);
    race_begin(RACE_COUNT, 1);
    vcpu_run(&guest_vcpu.unit, UINT64_MAX);
    race_end();
    assert_int_equal(cpu()->pending.vector, UPCALL);
    assert_int_equal(race_reads, 1);
}

/* ---- The last halt ---- */

static struct vcpu other;

/* Two vCPUs in HLT, the other one with interrupts off. How the domain ends when this one looks. */
static enum domain_end look(void)
{
    guest.end = END_NOT;
    guest.vcpus_out = 0;
    guest_vcpu.out = false;
    guest_vcpu.halted = true;
    guest_vcpu.unit.attention = false;
    vcpu_run(&guest_vcpu.unit, UINT64_MAX);
    return guest.end;
}

static void halt_both(void)
{
    guest_init_vcpu(&other, 1);
    guest.vcpus[1] = &other;
    guest_vcpu.startup_page = other.startup_page = -1;
    other.halted = other.deaf = true;
    guest.bare = true;
    cpu()->rflags &= ~RFLAGS_IF;
}

static void test_last_halt(void **state)
{
    (void)state;
    halt_both();
    assert_int_equal(look(), END_POWEROFF);
    other.halted = false;
    assert_int_equal(look(), END_NOT);
    other.waits_for_startup = true;
    assert_int_equal(look(), END_POWEROFF);
    other.waits_for_startup = false;
    other.down = true;
    assert_int_equal(look(), END_POWEROFF);
    assert_int_equal(entries, 0);
}

/* However many vCPUs there are, their end is one table in the log. */
static void test_one_table_a_life(void **state)
{
    (void)state;
    halt_both();
    counted = tables = ended = 0;
    assert_int_equal(look(), END_POWEROFF);
    assert_int_equal(tables, 0);
    other.unit.attention = true;
    vcpu_run(&other.unit, UINT64_MAX);
    assert_int_equal(tables, 1);
    assert_int_equal(counted, 2);
    assert_int_equal(ended, 1);
}

/* Another vCPU is about to run, or something wakes this one. */
static void test_halt_that_is_not_the_last(void **state)
{
    (void)state;
    halt_both();
    other.init_pending = true;
    assert_int_equal(look(), END_NOT);
    other.init_pending = false;
    other.startup_page = 8;
    assert_int_equal(look(), END_NOT);
    other.startup_page = -1;
    other.begins = true;
    assert_int_equal(look(), END_NOT);
    other.begins = false;
    virt_queue_nmi(&other.virt);
    assert_int_equal(look(), END_NOT);
    fake_virt(&other.virt)->nmis = 0;
    guest_vcpu.xen.poll = PV_POLL_SEVERAL;
    assert_int_equal(look(), END_NOT);
    guest_vcpu.xen.poll = PV_POLL_NOTHING;
    guest.bare = false; /* it has ACPI to power off by */
    assert_int_equal(look(), END_NOT);
    guest.bare = true;
    cpu()->rflags |= RFLAGS_IF;
    assert_int_equal(look(), END_NOT);
    assert_int_equal(entries, 0);
}

/* ---- Posted requests ---- */

/* In x2APIC mode, its processor told of all there is, in the guest. */
static void deliver_by_processor(void)
{
    struct vlapic *l = &guest_vcpu.lapic;

    assert_int_equal(vlapic_msr_write(l, MSR_IA32_APICBASE, 0xFEE00D00, 0), 0);
    assert_int_equal(vlapic_msr_write(l, 0x80F, 0x1FF, 0), 0);
    lapic_sync(&guest_vcpu);
    guest_vcpu.virt.delivers = true;
    lapic_sync(&guest_vcpu);
    guest.p2m.inside[0] = guest.p2m.epoch;
    goes_on = true;
    deadline_changed = guest_vcpu.unit.attention = false;
}

static void test_posted_is_taken(void **state)
{
    (void)state;
    deliver_by_processor();
    assert_false(vcpu_take_posted(&guest_vcpu)); /* another interrupt of the machine's */
    vlapic_accept(&guest_vcpu.lapic, 0x41, false);
    vlapic_accept(&guest_vcpu.lapic, 0x73, false);
    assert_true(vcpu_take_posted(&guest_vcpu));
    assert_int_equal(cpu()->requested, 0x73);
    assert_false(lapic_out_of_date(&guest_vcpu));
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x73);
}

/* Level-triggered ones are the loop's, which has the lock; those posted may go before them. */
static void test_posted_leaves_levels(void **state)
{
    (void)state;
    deliver_by_processor();
    vlapic_accept(&guest_vcpu.lapic, 0x73, true);
    vlapic_accept(&guest_vcpu.lapic, 0x41, false);
    assert_true(vcpu_take_posted(&guest_vcpu));
    assert_int_equal(cpu()->requested, 0x41);
    assert_true(guest_vcpu.lapic.has_levels);
}

/* What the loop has to see to: each by itself. */
static void test_posted_and_more(void **state)
{
    bool *const flags[] = { &guest_vcpu.unit.attention, &deadline_changed,
                            &guest_vcpu.lapic.changed };

    (void)state;
    deliver_by_processor();
    vlapic_accept(&guest_vcpu.lapic, 0x41, false);
    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        *flags[i] = true;
        assert_false(vcpu_take_posted(&guest_vcpu));
        *flags[i] = false;
    }
    goes_on = false;
    assert_false(vcpu_take_posted(&guest_vcpu));
    goes_on = true;
    guest.p2m.epoch++; /* a frame waits until this vCPU has come in again */
    assert_false(vcpu_take_posted(&guest_vcpu));
    guest.p2m.inside[0] = guest.p2m.epoch;
    assert_int_equal(cpu()->requested, 0);
    assert_true(vcpu_take_posted(&guest_vcpu));
}

/* ---- The console's ring ---- */

/* Whoever has room for its output only leaves a note; the vCPU acts on it, once. */
static void test_console_note(void **state)
{
    (void)state;
    kicks = 0;
    guest.owed = DOMAIN_OWED_CONSOLE;
    for (unsigned i = 0; i < 2; i++) {
        guest_vcpu.unit.attention = true;
        vcpu_run(&guest_vcpu.unit, UINT64_MAX);
    }
    assert_int_equal(kicks, 1);
    assert_int_equal(entries, 2);
}

static void test_console_ring(void **state)
{
    uint8_t bytes[64];
    uint32_t next;

    (void)state;
    assert_int_equal(pv_console_init(&guest.xen, &console_bus), 0);
    struct xencons_interface *ring = guest.xen.console;
    race_watch(ring);
    for (unsigned i = 0; i < runs; i++) {
        ring->out_cons = any();
        ring->out_prod = ring->out_cons + any() % 16;
        ring->in_cons = any();
        ring->in_prod = ring->in_cons + any() % 2048;
        race_begin(any() % 2 ? RACE_CHANGE : RACE_COUNT, i + 1);
        pv_console_kick(&guest.xen);
        assert_int_equal(race_doubled, 0);
        if (pv_console_give(&guest.xen, 'x'))
            pv_console_given(&guest.xen);
        assert_true(pv_console_peek(&guest.xen, bytes, sizeof(bytes), &next) <= sizeof(bytes));
        race_end();
        race_begin(RACE_COUNT, i + 1);
        if (pv_console_peek(&guest.xen, bytes, sizeof(bytes), &next))
            pv_console_take(&guest.xen, next);
        assert_int_equal(race_doubled, 0);
        race_end();
    }
    assert_true(printed > runs && printed < runs * 16);
}

/* ---- Instructions ---- */

static const char *const instructions[] = {
    "\x8b\x07\x90\x90", /* mov eax, [rdi] */
    "\x48\x89\x07\x90", /* mov [rdi], rax */
    "\xf3\xa4\x90\x90", /* rep movsb */
    "\x48\xa5\x90\x90", /* movsq */
    "\x0f\xb6\x07\x90", /* movzx eax, byte [rdi] */
    "\xf0\x0f\xb1\x0f", /* lock cmpxchg [rdi], ecx */
    "\xff\x37\x90\x90", /* push qword [rdi] */
    "\x8f\x07\x90\x90", /* pop qword [rdi] */
    "\xf3\xa6\x90\x90", /* repe cmpsb */
    "\x87\x07\x90\x90", /* xchg [rdi], eax */
};
#define INSTRUCTIONS (sizeof(instructions) / sizeof(instructions[0]))

static void run_instruction(enum race_how how, uint64_t with)
{
    static const uint64_t offsets[] = { 0, 0x123, PAGE_SIZE - 2, PAGE_SIZE - 8 };
    struct virt_exit e = { .kind = VIRT_EXIT_MEMORY, .memory = { .gpa = gpa(HOLE) } };
    uint64_t at = CODE + offsets[any() % 4];

    guest_put(at, instructions[any() % INSTRUCTIONS], 4);
    cpu()->rip = at;
    cpu()->rsp = DATA + any() % PAGE_SIZE;
    cpu()->pending.valid = false;
    set_reg(GPR_RDI, any() % 2 ? HOLE : DATA + any() % PAGE_SIZE);
    set_reg(GPR_RSI, any() % 2 ? HOLE : DATA + any() % PAGE_SIZE);
    set_reg(GPR_RSP, DATA + any() % PAGE_SIZE);
    set_reg(GPR_RCX, any() % 16);
    race_begin(how, with);
    device_access_memory(&guest_vcpu, &e);
    race_end();
}

/* Whatever the bytes become: done, a fault, or the end of the domain. */
static void test_code_changes(void **state)
{
    uint64_t reads = 0;

    (void)state;
    for (unsigned i = 0; i < runs; i++) {
        guest_mode(DECODE_64); /* the tables as they were */
        race_forget();
        watch_gfn(CODE >> PAGE_SHIFT);
        watch_gfn(DATA >> PAGE_SHIFT);
        if (i % 2) {
            watch_gfn(1);
            watch_gfn(2);
        }
        run_instruction(RACE_CHANGE, i + 1);
        reads += race_reads;
        guest.end = END_NOT;
        bus_reset();
    }
    assert_true(reads > runs);
}

/* No byte of an instruction is read a second time to decide by, nor an operand's: what is seen
 * again is only compared (window_same() of tests/fakes/heap.c). */
static void test_code_is_read_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < runs / 4; i++) {
        memset(guest_vcpu.emulator.insns, 0, sizeof(guest_vcpu.emulator.insns));
        race_forget();
        watch_gfn(CODE >> PAGE_SHIFT);
        run_instruction(RACE_COUNT, i + 1);
        assert_int_equal(race_doubled, 0);
        guest.end = END_NOT;
        bus_reset();
    }
}

/* INS and OUTS, whose memory is found by tables that change. */
static void test_string_io(void **state)
{
    struct virt_exit e = { .kind = VIRT_EXIT_IO };

    (void)state;
    for (unsigned i = 0; i < runs; i++) {
        bool in = any() % 2;
        guest_mode(DECODE_64);
        race_forget();
        watch_gfn(DATA >> PAGE_SHIFT);
        watch_gfn(1);
        watch_gfn(2);
        cpu()->pending.valid = false;
        e.io = (struct virt_io){
            .port = 0x80, .size = 1u << any() % 2, .in = in, .string = true, .rep = true
        };
        cpu()->io_string = (struct virt_io_string){ 8, in ? SEG_ES : SEG_DS };
        set_reg(in ? GPR_RDI : GPR_RSI, DATA + any() % (2 * PAGE_SIZE));
        set_reg(GPR_RCX, any() % 8);
        race_begin(RACE_CHANGE, i + 1);
        device_access_string(&guest_vcpu.virt, &e);
        race_end();
        guest.end = END_NOT;
        bus_reset();
    }
}

/* ---- Task switches ---- */

#define GDT      0x3000ul
#define TSS      0x4000ul
#define TSS_SIZE 0x80u
#define TABLES   0x1000ul
#define TASKS    4u
#define TASK(n)  (0x60u + 8 * (n))

/* Each segment register has a descriptor of its own, so that none is looked at twice. */
static const uint64_t gdt[] = {
    0,
    0x00cf92000000ffff, /* ES */
    0x00cf9a000000ffff, /* CS */
    0x00cf92000000ffff, /* SS */
    0x00cf92000000ffff, /* DS */
    0x00cf92000000ffff, /* FS */
    0x00cf92000000ffff, /* GS */
    0x0000820030000027, /* an LDT that is the GDT */
};

static void build_task(unsigned n)
{
    uint64_t tss = TSS + n * TSS_SIZE;

    guest_write64(GDT + TASK(n), 0x67 | tss << 16 | (n ? 0x89ul : 0x8bul) << 40);
    guest_write64(tss + 28, TABLES | 0x8000ul << 32); /* CR3, EIP */
    guest_write64(tss + 36, RFLAGS_FIXED);
    guest_write64(tss + 56, 0x6000);
    for (uint16_t i = 0; i < 7; i++) {
        uint16_t selector = 8 * (i + 1);
        guest_put(tss + 72 + 4 * i, &selector, 2);
    }
}

/* All of 4 GiB one to one, by 1024 large pages. */
static void build_paging(void)
{
    uint32_t entries[1024];

    for (uint32_t i = 0; i < 1024; i++)
        entries[i] = i << 22 | 0x87;
    guest_put(TABLES, entries, sizeof(entries));
    cpu()->cr0 |= CR0_PG | CR0_WP;
    cpu()->cr4 = CR4_PSE;
    cpu()->cr3 = TABLES;
}

static void build_tasks(bool paged)
{
    guest_mode(DECODE_32);
    cpu()->rflags = RFLAGS_FIXED;
    guest_put(GDT, gdt, sizeof(gdt));
    for (unsigned n = 0; n < TASKS; n++)
        build_task(n);
    cpu()->gdt_base = GDT;
    cpu()->gdt_limit = TASK(TASKS) - 1;
    cpu()->seg[SEG_LDTR].ar = SEG_AR_UNUSABLE;
    cpu()->seg[SEG_TR] =
        (struct segment){ .base = TSS, .limit = 0x67, .ar = 0x8b, .selector = TASK(0) };
    if (paged)
        build_paging();
    race_forget();
    watch_gfn(GDT >> PAGE_SHIFT);
    watch_gfn(TSS >> PAGE_SHIFT);
}

static void test_task_is_read_once(void **state)
{
    (void)state;
    for (enum task_by by = TASK_CALL; by <= TASK_GATE; by++) {
        struct virt_task t = { .by = by, .selector = TASK(1) };

        build_tasks(false);
        if (by == TASK_IRET)
            guest_write64(GDT + TASK(1), guest_read64(GDT + TASK(1)) | 1ul << 41);
        race_begin(RACE_COUNT, by + 1);
        int err = task_switch(&guest_vcpu.emulator, &t);
        race_end();
        assert_int_equal(err, 0);
        assert_true(race_reads > 8);
        assert_int_equal(race_doubled, 0);
    }
}

/* Descriptors, TSSs and page tables change: there is a new task, or its fault, and the
 * processor can be entered. */
static void test_tasks_change(void **state)
{
    static const enum task_by ways[] = { TASK_CALL, TASK_JMP, TASK_GATE };
    unsigned done = 0;

    (void)state;
    for (unsigned i = 0; i < runs; i++) {
        struct virt_task t = { .by = ways[i % 3], .selector = TASK(1 + any() % (TASKS - 1)) };

        build_tasks(i % 2);
        if (i % 4 == 3)
            watch_gfn(TABLES >> PAGE_SHIFT);
        race_begin(RACE_CHANGE, i + 1);
        done += task_switch(&guest_vcpu.emulator, &t) == 0;
        race_end();
        entry_state_check();
    }
    assert_true(done > runs / 16 && done < runs);
}

/* ---- fw_cfg's requests ---- */

#define REQUEST     DATA
#define MOST_PIECES (GUEST_END / 0x4000 + 2)

static bool fw_read(void *ctx, uint64_t from, void *to, size_t n)
{
    return !gmem_read(ctx, gpa(from), to, n);
}

static bool fw_write(void *ctx, uint64_t to, const void *from, size_t n)
{
    return !(from ? gmem_write(ctx, gpa(to), from, n) : gmem_zero(ctx, gpa(to), n));
}

static struct vfwcfg fw;

static void fw_init(void)
{
    static const uint8_t bytes[3 * PAGE_SIZE];
    static const struct vfwcfg_item items[] = { { 0, "QEMU", 4 }, { 1, bytes, sizeof(bytes) } };
    const struct vfwcfg_memory memory = { &guest.p2m, fw_read, fw_write };

    vfwcfg_init(&fw, items, 2, &memory);
}

/* A request to copy item 1, and what it takes until the device says that it is done. */
static void fw_request(uint64_t to, uint32_t length)
{
    uint32_t words[] = { __builtin_bswap32(1u << 16 | 0xa), __builtin_bswap32(length) };

    guest_put(REQUEST, words, sizeof(words));
    guest_write64(REQUEST + 8, __builtin_bswap64(to));
}

static unsigned fw_run(void)
{
    unsigned pieces = 0;

    fw.dev.ops->write(&fw.dev, 8, 4, __builtin_bswap32(REQUEST), 0);
    for (; fw.dma.due != TIME_NEVER && pieces <= MOST_PIECES; pieces++)
        fw.dev.ops->tick(&fw.dev, fw.dma.due);
    return pieces;
}

/* Also where what is copied falls upon the request. */
static void test_request_is_read_once(void **state)
{
    static const uint64_t to[] = { 0x20000, REQUEST, REQUEST - PAGE_SIZE };

    (void)state;
    watch_gfn(REQUEST >> PAGE_SHIFT);
    for (unsigned i = 0; i < 3; i++) {
        fw_init();
        fw_request(to[i], 5 * PAGE_SIZE);
        race_begin(RACE_COUNT, i + 1);
        unsigned pieces = fw_run();
        race_end();
        assert_true(pieces > 1 && pieces <= 4);
        assert_true(race_reads > 0);
        assert_int_equal(race_doubled, 0);
    }
}

/* However long it has become, and wherever it goes: it ends where RAM does. */
static void test_requests_change(void **state)
{
    uint64_t reads = 0;

    (void)state;
    watch_gfn(REQUEST >> PAGE_SHIFT);
    for (unsigned i = 0; i < runs / 4; i++) {
        fw_init();
        fw_request(any() % GUEST_END, any() % (8 * PAGE_SIZE));
        race_begin(RACE_CHANGE, i + 1);
        unsigned pieces = fw_run();
        race_end();
        assert_true(pieces <= MOST_PIECES);
        reads += race_reads;
    }
    assert_true(reads >= runs / 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_upcall),
        TEST(test_upcall_is_read_once),
        TEST(test_console_note),
        TEST(test_console_ring),
        TEST(test_code_changes),
        TEST(test_code_is_read_once),
        TEST(test_string_io),
        TEST(test_task_is_read_once),
        TEST(test_tasks_change),
        TEST(test_request_is_read_once),
        TEST(test_requests_change),
        TEST(test_last_halt),
        TEST(test_one_table_a_life),
        TEST(test_halt_that_is_not_the_last),
        TEST(test_posted_is_taken),
        TEST(test_posted_leaves_levels),
        TEST(test_posted_and_more),
        TEST(test_dump_without_lock),
        TEST(test_not_while_it_is_built),
    };
    runs = race_rounds(1000);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
