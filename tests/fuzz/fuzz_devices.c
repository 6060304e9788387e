/* clang-format off */
/* links: lib/fmt.c decode/decode_form.c decode/decode.c decode/alu.c emulate/insn_cache.c emulate/operate.c emulate/vector.c emulate/x87.c emulate/selector.c emulate/string_insn.c emulate/mmio_stack.c emulate/mmio_memory.c emulate/mmio.c exits/device_access.c machine/pc.c machine/pvh.c machine/board.c create/wiring.c domain/domain_console.c machine/machine.c domain/lapic.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c xen/pv_vcpu.c tests/fakes/evtchn.c xen/pv_time.c xen/pv_console.c emulate/operand.c emulate/breakpoint.c guestmem/gva.c devices/vpic.c devices/vpci.c devices/vcrtc.c devices/vfwcfg.c devices/vhpet.c devices/vpit.c devices/vpit_channel.c devices/vrtc.c devices/vrtc_date.c devices/vuart.c devices/vuart_fifo.c devices/vi8042.c devices/vreset.c devices/vpm.c devices/vioapic.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c lib/warned.c */
/* clang-format on */
/*
 * Every device of a machine, wired as a domain has them: two vCPUs' accesses to ports, by string
 * instructions too, to the pages and MSRs of the APICs, and time that passes between.
 *
 * The input is a program; its first byte chooses hvm or pvh. What must hold: no assertion, nothing
 * that the sanitizers see, a deadline that moves on when the device has been told of it, and
 * interrupts that are there when they were announced.
 */
#include <stdlib.h>
#include <string.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "domain/lapic.h"
#include "machine/pc.h"
#include "exits/device_access.h"
#include "domain/domain_console.h"
#include "create/wiring.h"
#include "xen/pv_console.h"
#include "lib/assert.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/log.h"
#include "tests/fuzz/input.h"

#define STEPS_MOST 512
#define TICKS_MOST 8 /* in a row, without time between, before a device is quiet */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct machine *const m = &guest.machine;
static const struct domain_config config = { .mem = GUEST_END };
static struct vcpu second;
static struct vlapic_page pages[2];
static struct vlapic_bus bus;
static unsigned room; /* of the operator's console */

static const struct {
    uint16_t first, count;
} ports[] = {
    { HVM_PIC1_PORT, 2 },
    { HVM_PIC2_PORT, 2 },
    { HVM_PIC_ELCR, 2 },
    { HVM_PIT_PORT, 4 },
    { HVM_PORT_61, 1 },
    { HVM_RTC_PORT, 2 },
    { HVM_COM1_PORT, 8 },
    { HVM_COM2_PORT, 8 },
    { HVM_I8042_DATA, 1 },
    { HVM_I8042_STATUS, 1 },
    { HVM_SMI_PORT, 1 },
    { HVM_PM_BASE, VPM_BLOCK_SIZE },
    { HVM_FWCFG_PORT, VFWCFG_SIZE },
    { HVM_PCI_PORT, VPCI_SIZE },
    { HVM_FAST_A20_PORT, 1 },
    { HVM_RESET_PORT, 1 },
};
#define PORTS (sizeof(ports) / sizeof(ports[0]))

/* ---- What stands in for the rest ---- */

static size_t put(struct domain *d, const uint8_t *bytes, size_t n)
{
    size_t taken = n < room ? n : room;

    (void)d;
    (void)bytes;
    room -= taken;
    return taken;
}

static void console_has_room(struct domain *d)
{
    if (room & 1)
        (void)!domain_console_give(d, 'r');
}

static const struct domain_hooks hooks = { .console_put = put, .console_room = console_has_room };

static void eoi(void *ctx, uint8_t vector)
{
    vioapic_eoi(&((struct domain *)ctx)->machine.ioapic, vector);
}

/* ---- The guest ---- */

static void begin(bool is_pvh)
{
    static const struct vfwcfg_item firmware[] = { { 0, "QEMU", 4 }, { 0x20, "file", 4 } };
    struct machine_config board = { .board = is_pvh ? &board_pvh : &board_pc,
                                    .owner = &domain_wiring,
                                    .ctx = &guest,
                                    .name = guest.name,
                                    .firmware = firmware,
                                    .firmware_items = 2,
                                    .ram_low = GUEST_END };

    fake_tsc = 0;
    guest_start();
    fake_log_reset();
    guest.config = &config;
    guest.type = is_pvh ? DOMAIN_PVH : DOMAIN_HVM;
    domain_set_hooks(&hooks);
    ASSERT(pv_domain_init(&guest.xen) == 0);
    guest_init_vcpu(&second, 1);
    guest.vcpus[1] = &second;
    guest.xen.vcpu_count = 2;
    memset(pages, 0, sizeof(pages));
    bus = (struct vlapic_bus){ .ctx = &guest,
                               .send_ipi = lapic_message,
                               .eoi = eoi,
                               .timer_moved = guest_timer_moved,
                               .address_bits = 40 };
    for (unsigned i = 0; i < 2; i++) {
        vlapic_init(&guest.vcpus[i]->lapic, i, 1000000000, &bus, &pages[i]);
        moment_init(&guest.vcpus[i]->lapic_due);
    }
    board.tsc_zero = guest.xen.tsc_zero;
    machine_init(m, &board);
    guest_running = &guest_vcpu.unit;
    room = 40;
}

static void end(void)
{
    pv_domain_destroy(&guest.xen);
    guest_stop();
    ASSERT(fake_heap_in_use() == 0);
}

/* ---- Steps ---- */

static uint16_t take_port(struct input *in)
{
    uint8_t choice = input_byte(in);

    if (choice >= 240)
        return (uint16_t)input_number(in, 2);
    return (uint16_t)(ports[choice % PORTS].first + choice / PORTS % ports[choice % PORTS].count);
}

static void step_port(struct input *in, uint8_t kind)
{
    uint16_t port = take_port(in);
    unsigned size = 1u << kind % 4 % 3;

    if (kind & 8)
        (void)machine_port_read(m, port, size);
    else
        machine_port_write(m, port, size, (uint32_t)input_number(in, size) | 0xa5u << 24);
}

/* fw_cfg is to copy, over what the guest has or where it has nothing. */
static void step_firmware(struct input *in, uint8_t kind)
{
    static const uint16_t keys[] = { 0, 0x20, 0x77 };
    uint32_t control = (uint32_t)keys[kind / 8 % 3] << 16 | (kind & 0x1f);
    uint64_t request[2] = { __builtin_bswap64((uint64_t)control << 32 | input_number(in, 3)),
                            __builtin_bswap64(input_number(in, 3)) };

    guest_put(0x6000, request, sizeof(request));
    machine_port_write(m, HVM_FWCFG_PORT + 8, 4, __builtin_bswap32(0x6000));
}

/* INS or OUTS, perhaps of many, perhaps over the edge of RAM. */
static void step_string(struct input *in, struct vcpu *v, uint8_t kind)
{
    struct fake_virt *f = fake_virt(&v->virt);

    struct virt_exit e = { .io = { .port = take_port(in),
                                   .size = 1u << kind / 4 % 3,
                                   .in = kind & 1,
                                   .string = true,
                                   .rep = (kind & 2) != 0 } };
    f->io_string = (struct virt_io_string){ .seg = kind & 1 ? SEG_ES : SEG_DS, .addr_size = 4 };
    virt_set_gpr(&v->virt, GPR_RCX, input_byte(in));
    virt_set_gpr(&v->virt, kind & 1 ? GPR_RDI : GPR_RSI, kind & 0x40 ? 0x9ff80 : 0x5000);
    device_access_string(&v->virt, &e);
}

static gpa_t take_address(struct input *in, const struct vcpu *v)
{
    uint8_t choice = input_byte(in);

    if (choice < 160)
        return gpa(vlapic_base(&v->lapic) + choice % 64 * 16);
    if (choice < 208)
        return gpa(HVM_HPET_BASE + choice * 8u % 0x180);
    if (choice < 240)
        return gpa(HVM_IOAPIC_BASE + (choice & 1 ? VIOAPIC_WINDOW : VIOAPIC_SELECT));
    return gpa(input_number(in, 4));
}

static void step_memory(struct input *in, struct vcpu *v, uint8_t kind)
{
    gpa_t at = take_address(in, v);
    unsigned size = kind & 6 ? 4 : 1u << kind / 16 % 4;

    if (!machine_has_mmio(m, &v->lapic, at))
        return;
    if (kind & 8)
        (void)machine_mmio_read(m, &v->lapic, at, size);
    else
        machine_mmio_write(m, &v->lapic, at, size, input_number(in, size));
}

static void step_msr(struct input *in, struct vcpu *v, uint8_t kind)
{
    uint8_t choice = input_byte(in);
    uint32_t msr = choice < 240 ? MSR_X2APIC_FIRST + choice : MSR_IA32_APICBASE;
    uint64_t value, now = xen_now(&guest.xen);

    if (kind & 8) {
        (void)!vlapic_msr_read(&v->lapic, msr, &value, now);
        (void)vlapic_count_ahead(&v->lapic, now);
        return;
    }
    value = choice < 240
                ? input_number(in, kind & 4 ? 8 : 4)
                : VLAPIC_DEFAULT_BASE | (v->id ? 0 : APICBASE_BSP) | (uint64_t)input_byte(in) << 4;
    (void)!vlapic_msr_write(&v->lapic, msr, value, now);
}

static void step_deadline(struct input *in, struct vcpu *v, uint8_t kind)
{
    uint64_t at = xen_now(&guest.xen) + input_number(in, 1 + kind / 16 % 5);

    if (!(kind & 8) && vlapic_arm_ahead(&v->lapic, at, at))
        guest_timer_moved(&v->lapic, at);
    else
        vlapic_set_deadline(&v->lapic, at, at, xen_now(&guest.xen));
    (void)vlapic_deadline_tsc(&v->lapic, xen_now(&guest.xen));
}

/* Time passes, and whoever is due is told; nobody is due again at once, over and over. */
static void step_time(struct input *in, uint8_t kind)
{
    fake_tsc += input_number(in, 1 + kind / 16 % 6);
    uint64_t now = xen_now(&guest.xen);

    for (unsigned i = 0; now >= m->due.ns; i++) {
        ASSERT(i < TICKS_MOST);
        machine_tick(m, now);
    }
    for (unsigned n = 0; n < guest.xen.vcpu_count; n++) {
        const struct device *lapic = &guest.vcpus[n]->lapic.dev;
        ASSERT(guest.vcpus[n]->lapic_due.ns == lapic->ops->deadline(lapic));
        for (unsigned i = 0; now >= guest.vcpus[n]->lapic_due.ns; i++) {
            ASSERT(i < TICKS_MOST);
            guest.vcpus[n]->lapic.dev.ops->tick(&guest.vcpus[n]->lapic.dev, now);
        }
    }
}

/* What the loop of a vCPU does before it enters the guest. */
static void step_deliver(struct vcpu *v)
{
    if (lapic_out_of_date(v))
        lapic_sync(v);
    if (v->id == 0 && vpic_pending(&m->pic) && vlapic_accepts_extint(&v->lapic))
        (void)vpic_ack(&m->pic);
    if (lapic_wants_in(v))
        vlapic_ack(&v->lapic, (uint8_t)vlapic_pending(&v->lapic));
    if (lapic_may_hold(v))
        lapic_hold(v);
}

static void step_console(struct input *in, uint8_t kind)
{
    room = kind & 8 ? 0 : 100;
    for (unsigned n = input_byte(in) % 32; n; n--)
        (void)!domain_console_give(&guest, (uint8_t)n);
    domain_console_kick(&guest);
}

static void step(struct input *in)
{
    uint8_t kind = input_byte(in);
    struct vcpu *v = guest.vcpus[kind >> 7];

    kind &= 0x7f;
    switch (input_byte(in) % 16) {
    case 0:
        step_string(in, v, kind);
        break;
    case 1:
        step_msr(in, v, kind);
        break;
    case 2:
        step_deadline(in, v, kind);
        break;
    case 3:
        step_console(in, kind);
        break;
    case 4:
        step_firmware(in, kind);
        break;
    case 5:
        vlapic_set_cr8(&v->lapic, kind & 15);
        break;
    case 6:
        vpm_power_button(&m->pm);
        break;
    case 7:
    case 8:
        step_deliver(v);
        break;
    case 9:
    case 10:
        step_time(in, kind);
        break;
    case 11:
    case 12:
        step_memory(in, v, kind);
        break;
    default:
        step_port(in, kind);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    begin(input_byte(&in) & 1);
    spin_lock(&guest.lock);
    for (unsigned n = 0; n < STEPS_MOST && !input_ended(&in) && !guest.end; n++)
        step(&in);
    spin_unlock(&guest.lock);
    end();
    return 0;
}
