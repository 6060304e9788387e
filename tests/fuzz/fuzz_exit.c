/* clang-format off */
/* links: emulate/string_insn.c exits/device_access.c exits/exit.c exits/debug.c emulate/operate.c emulate/vector.c emulate/x87.c emulate/selector.c emulate/mmio_stack.c emulate/mmio_memory.c domain/msr.c cpu/cpu_msr.c cpu/cpu_mtrr.c exits/cpuid.c cpu/cpu_policy.c xen/xen_cpuid.c cpu/cpu_model.c emulate/mmio.c emulate/insn_cache.c decode/alu.c decode/decode.c decode/decode_form.c machine/pc.c machine/pvh.c machine/board.c create/wiring.c machine/machine.c domain/lapic.c emulate/operand.c emulate/breakpoint.c emulate/task_switch.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c xen/pv_vcpu.c tests/fakes/evtchn.c xen/pv_time.c xen/pv_console.c devices/vpic.c devices/vpci.c devices/vcrtc.c devices/vfwcfg.c devices/vhpet.c devices/vpit.c devices/vpit_channel.c devices/vrtc.c devices/vrtc_date.c devices/vuart.c devices/vuart_fifo.c devices/vi8042.c devices/vreset.c devices/vpm.c devices/vioapic.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c lib/fmt.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c lib/warned.c */
/* clang-format on */
/*
 * VM exits of every kind, with all that answers them: MSRs, CPUID, control registers, ports, device
 * memory, and the memory that arrives at a first touch.
 *
 * The input is a program: registers and an exit in each step, code that stands at RIP, time. What
 * must hold: the instruction is stepped over once, or the guest has one fault, or its domain has
 * ended, or it is to be executed again; no lock is kept; all memory is back at the end.
 */
#include <string.h>
#include "exits/exit.h"
#include "exits/run.h"
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "domain/lapic.h"
#include "domain/msr.h"
#include "create/wiring.h"
#include "hypercall/hypercall.h"
#include "lib/assert.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/log.h"
#include "tests/fuzz/input.h"

#define STEPS_MOST 128
#define CODE       0x7ff8ul /* over the end of a page */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

uint64_t vcpu_next_due(const struct vcpu *v)
{
    (void)v;
    return UINT64_MAX;
}

bool vcpu_tick_lapic(struct vcpu *v)
{
    (void)v;
    return false;
}

bool vcpu_take_posted(struct vcpu *v)
{
    (void)v;
    return false;
}

void vcpu_request_dump(struct vcpu *v, enum vcpu_dump what)
{
    v->dump = what;
}

static const struct domain_config config = { .mem = GUEST_END };
static struct vlapic_page page;
static struct vlapic_bus bus;

static const uint32_t msrs[] = {
    0x10,       0x1b,       0x3a,       0x3b,       0x48,       0x49,       0x8b,       0xfe,
    0x174,      0x175,      0x176,      0x179,      0x17a,      0x1a0,      0x1d9,      0x200,
    0x20f,      0x250,      0x26f,      0x277,      0x2ff,      0x400,      0x480,      0x6e0,
    0x800,      0x808,      0x80b,      0x80f,      0x828,      0x830,      0x832,      0x838,
    0x839,      0x83e,      0x83f,      0x40000000, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000100,
    0xc0000101, 0xc0000102, 0xc0000103,
};

/* ---- What stands in for the rest ---- */

static size_t put(struct domain *d, const uint8_t *bytes, size_t n)
{
    (void)d;
    return bytes[0] & 1 ? n : 0;
}

static void console_has_room(struct domain *d)
{
    (void)d;
}

static bool hypercall(struct vcpu *v)
{
    return virt_gpr(&v->virt, GPR_RDI) & 1;
}

static int64_t hypercall_for_one(uint64_t nr, uint64_t first)
{
    if (nr & 1)
        return (int64_t)first;
    return nr & 2 ? HYPERCALL_NEEDS_LOCK : HYPERCALL_NEEDS_LOOK;
}

bool sched_deadline_changed(void)
{
    return false;
}

static const struct domain_hooks hooks = { .console_put = put,
                                           .console_room = console_has_room,
                                           .hypercall = hypercall,
                                           .hypercall_lockless = hypercall_for_one,
                                           .hypercall_locked = hypercall };

int rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = rdmsr(msr);
    return msr & 1 ? -EFAULT : 0;
}

static struct cpuid_regs leaf(uint32_t n, uint32_t sub)
{
    if (n == 0 || n == 0x80000000)
        return (struct cpuid_regs){ .eax = n + 0x1f };
    if (n == 0x80000008)
        return (struct cpuid_regs){ .eax = 39 };
    return (struct cpuid_regs){ ~sub, ~0u, ~0u, ~0u };
}

static void eoi(void *ctx, uint8_t vector)
{
    vioapic_eoi(&((struct domain *)ctx)->machine.ioapic, vector);
}

/* ---- The guest ---- */

static void begin(bool is_pvh)
{
    struct machine_config board = { .board = is_pvh ? &board_pvh : &board_pc,
                                    .owner = &domain_wiring,
                                    .ctx = &guest,
                                    .name = guest.name,
                                    .ram_low = GUEST_END };

    fake_tsc = 0;
    fake_cpuid = leaf;
    guest_start();
    fake_log_reset();
    guest_vcpu.exit_actions = exit_actions;
    guest.config = &config;
    guest.type = is_pvh ? DOMAIN_PVH : DOMAIN_HVM;
    domain_set_hooks(&hooks);
    ASSERT(pv_domain_init(&guest.xen) == 0);
    memset(&page, 0, sizeof(page));
    bus = (struct vlapic_bus){
        .ctx = &guest, .send_ipi = lapic_message, .eoi = eoi, .timer_moved = guest_timer_moved
    };
    vlapic_init(&guest_vcpu.lapic, 0, 1000000000, &bus, &page);
    board.tsc_zero = guest.xen.tsc_zero;
    machine_init(&guest.machine, &board);
    guest.xen.vcpu_count = 0;
    pv_vcpu_init(&guest_vcpu.xen, &guest.xen, &guest_vcpu.unit);
    msr_reset(&guest_vcpu);
    guest_running = &guest_vcpu.unit;
    cpu()->insn_len = 2;
}

static void end(void)
{
    ASSERT(!spin_is_locked(&guest.lock));
    pv_domain_destroy(&guest.xen);
    guest_stop();
    ASSERT(fake_heap_in_use() == 0);
}

/* ---- Steps ---- */

static void take_registers(struct input *in)
{
    static const enum gpr all[] = { GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RDI, GPR_RSI };
    uint8_t which = input_byte(in);

    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (which >> i & 1)
            set_reg(all[i], input_number(in, which & 0x80 ? 8 : 2));
}

static gpa_t take_address(struct input *in)
{
    static const uint64_t often[] = { 0xfee00000, 0xfec00000, 0xfec00010, GUEST_END, 0xa0000 };
    uint8_t choice = input_byte(in);

    if (choice < 200)
        return gpa(often[choice % 5] + choice / 5 * 16ul);
    return gpa(input_number(in, choice & 1 ? 3 : 5));
}

static void fill(struct virt_exit *e, struct input *in)
{
    uint8_t how = input_byte(in);

    switch (e->kind) {
    case VIRT_EXIT_RDMSR:
    case VIRT_EXIT_WRMSR:
        if (how < 240)
            set_reg(GPR_RCX, msrs[how % (sizeof(msrs) / sizeof(msrs[0]))]);
        break;
    case VIRT_EXIT_IO:
        e->io = (struct virt_io){ .size = 1u << how % 3,
                                  .in = how >> 2,
                                  .string = how >> 3,
                                  .rep = how >> 4,
                                  .port = (uint16_t)input_number(in, 2) };
        cpu()->io_string =
            (struct virt_io_string){ .seg = how & 4 ? SEG_ES : SEG_DS, .addr_size = 4 };
        break;
    case VIRT_EXIT_CR:
        e->cr.number = (uint8_t[]){ 0, 3, 4, 8 }[how % 4];
        e->cr.op = how / 4 % 4;
        e->cr.gpr = how / 16;
        e->cr.lmsw = (uint16_t)input_number(in, 2);
        break;
    case VIRT_EXIT_MEMORY:
        e->memory.gpa = take_address(in);
        e->memory.write = how & 1;
        e->memory.present = how & 2;
        e->memory.page_walk = how >= 0xf0;
        e->memory.fetch = how >= 0xe0 && how < 0xe8;
        e->memory.delivery = how >= 0xe8 && how < 0xec;
        break;
    case VIRT_EXIT_DEBUG_REGISTER:
        cpu()->breakpoints.at[how % 4] = take_address(in).v;
        cpu()->breakpoints.dr7 = input_number(in, 4);
        break;
    case VIRT_EXIT_APIC_WRITE:
        e->apic.offset = how * 16u;
        break;
    case VIRT_EXIT_EXCEPTION:
        e->exception = (struct event){ .valid = true, .vector = how % 32, .type = EVENT_EXCEPTION };
        break;
    case VIRT_EXIT_TASK_SWITCH:
        e->task = (struct virt_task){ .by = how % 4, .selector = (uint16_t)input_number(in, 2) };
        break;
    default:
        e->apic.vector = how;
    }
}

static void step_exit(struct input *in)
{
    struct virt_exit e = { .kind = input_byte(in) % VIRT_EXIT_KINDS, .why = "" };
    struct vcpu *v = &guest_vcpu;

    if (e.kind == VIRT_EXIT_ENTRY_FAILED || e.kind == VIRT_EXIT_TRIPLE_FAULT ||
        e.kind == VIRT_EXIT_BAD_MEMORY)
        e.kind = VIRT_EXIT_CPUID; /* their ends are no news, or the machine's fault */
    cpu()->pending.valid = false; /* the guest ran before this exit, so it has been delivered */
    take_registers(in);
    fill(&e, in);
    unsigned skips = cpu()->skips, injected = cpu()->injected;
    enum exit_answer answer =
        fake_virt_answered(&v->virt, v->exit_actions[e.kind].quick(&v->virt, &e));
    ASSERT(!spin_is_locked(&guest.lock));
    if (answer == EXIT_UNHANDLED) {
        spin_lock(&guest.lock);
        v->exit_actions[e.kind].handle(&v->virt, &e);
        spin_unlock(&guest.lock);
    }
    skips = cpu()->skips - skips;
    ASSERT(skips <= 1 && cpu()->injected - injected <= 1 - skips);
}

static void step_code(struct input *in)
{
    const uint8_t *code;
    size_t n = input_bytes(in, &code, DECODE_MAX_BYTES);

    if (n)
        guest_put(CODE, code, n);
    cpu()->rip = CODE;
}

static void step_time(struct input *in)
{
    uint64_t now;

    fake_tsc += input_number(in, 4);
    now = xen_now(&guest.xen);
    spin_lock(&guest.lock);
    ASSERT(guest_vcpu.lapic_due.ns == guest_vcpu.lapic.dev.ops->deadline(&guest_vcpu.lapic.dev));
    if (now >= guest_vcpu.lapic_due.ns)
        guest_vcpu.lapic.dev.ops->tick(&guest_vcpu.lapic.dev, now);
    if (now >= guest.machine.due.ns)
        machine_tick(&guest.machine, now);
    (void)!pv_tick(&guest_vcpu.xen, now);
    spin_unlock(&guest.lock);
}

static void step(struct input *in)
{
    uint8_t kind = input_byte(in);

    switch (kind % 8) {
    case 0:
        guest_mode((enum decode_mode)(kind / 8 % 3));
        guest_cpl(kind >= 0xe0 ? 3 : 0);
        break;
    case 1:
        step_code(in);
        break;
    case 2:
        step_time(in);
        break;
    default:
        step_exit(in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    begin(input_byte(&in) & 1);
    for (unsigned n = 0; n < STEPS_MOST && !input_ended(&in) && !guest.end; n++)
        step(&in);
    end();
    return 0;
}
