/* links: machine/pc.c machine/pvh.c machine/board.c create/wiring.c machine/machine.c domain/lapic.c guestmem/p2m.c guestmem/p2m_log.c guestmem/gmem.c arch/x86/moment.c devices/vpic.c devices/vpci.c devices/vcrtc.c devices/vfwcfg.c devices/vhpet.c devices/vpit.c devices/vpit_channel.c devices/vrtc.c devices/vrtc_date.c devices/vuart.c devices/vuart_fifo.c devices/vi8042.c devices/vreset.c devices/vpm.c devices/vioapic.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c xen/pv_console.c guestmem/p2m_change.c xen/pv_vcpu.c tests/fakes/evtchn.c xen/pv_time.c guestmem/gva.c lib/warned.c */
/*
 * The hvm machine's wiring: ports to devices, lines to controllers, messages to APICs, time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "domain/lapic.h"
#include "guestmem/gmem.h"
#include "create/wiring.h"
#include "machine/machine.h"
#include "machine/pc.h"
#include "lib/log.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/log.h"

#define MS 1000000ul /* of nanoseconds, and of TSC ticks here */

static struct machine *const m = &guest.machine;
static struct vcpu second;
static const struct vlapic_bus bus = { .timer_moved = guest_timer_moved };
static char sent[64];
static unsigned sent_count, rooms;
static bool full;

static size_t put(struct domain *d, const uint8_t *bytes, size_t n)
{
    assert_ptr_equal(d, &guest);
    for (size_t i = 0; i < n && !full; i++)
        sent[sent_count++ % sizeof(sent)] = (char)bytes[i];
    return full ? 0 : n;
}

static void room(struct domain *d)
{
    (void)d;
    rooms++;
}
static const struct domain_hooks hooks = { .console_put = put, .console_room = room };

static void start_lapic(struct vcpu *v, unsigned id)
{
    static struct vlapic_page pages[2];
    struct device *dev = &v->lapic.dev;

    v->domain = &guest;
    v->id = id;
    vlapic_init(&v->lapic, id, 1000000000, &bus, &pages[id]);
    dev->ops->write(dev, 0xf0, 4, 0x1ff, 0);
}

static bool no_hpet, has_pci;
static const struct vfwcfg_item *firmware;

static void build(const struct board *board)
{
    struct machine_config config = { .board = board,
                                     .owner = &domain_wiring,
                                     .ctx = &guest,
                                     .name = guest.name,
                                     .tsc_zero = guest.xen.tsc_zero,
                                     .ram_low = 16 << 20,
                                     .no_hpet = no_hpet,
                                     .pci = has_pci,
                                     .firmware = firmware,
                                     .firmware_items = 1 };

    *m = (struct machine){ 0 };
    machine_init(m, &config);
}

static int setup(void **state)
{
    (void)state;
    guest_start();
    fake_log_reset();
    domain_set_hooks(&hooks);
    sent_count = rooms = 0;
    full = false;
    no_hpet = has_pci = false;
    firmware = NULL;
    start_lapic(&guest_vcpu, 0);
    guest.state = DOMAIN_RUNNING;
    build(&board_pc);
    guest_running = &guest_vcpu.unit;
    guest_kicks = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

/* As much of the answer as a CPU takes. */
static uint32_t take(uint16_t port, unsigned size)
{
    uint32_t value = machine_port_read(m, port, size);

    return size == 4 ? value : value & ((1u << 8 * size) - 1);
}

static uint32_t in(uint16_t port)
{
    return take(port, 1);
}

static void out(uint16_t port, uint8_t value)
{
    machine_port_write(m, port, 1, value);
}

/* ---- Ports ---- */

static void test_each_device_answers(void **state)
{
    (void)state;
    out(0x3ff, 0x11); /* the scratch registers of both UARTs */
    out(0x2ff, 0x22);
    assert_int_equal(in(0x3ff), 0x11);
    assert_int_equal(in(0x2ff), 0x22);
    out(0x21, 0x5a);
    out(0xa1, 0xa5);
    assert_int_equal(in(0x21), 0x5a);
    assert_int_equal(in(0xa1), 0xa5);
    out(0x4d0, 0x20);
    out(0x4d1, 0x0c);
    assert_int_equal(in(0x4d0), 0x20);
    assert_int_equal(in(0x4d1), 0x0c);
    out(0x61, 0x03);
    assert_int_equal(in(0x61) & 3, 3);
    out(0x70, 0x0d);
    assert_int_equal(in(0x71), 0x80);
    out(0x70, 0x34); /* 64 KiB units above 16 MiB: none */
    assert_int_equal(in(0x71), 0);
    out(0x70, 0x18); /* 15 MiB above 1 MiB, in KiB */
    assert_int_equal(in(0x71), 15 * 1024 >> 8);
    assert_int_equal(in(0x64) & 1, 0);
    out(0x92, 0x02);
    assert_int_equal(in(0x92) & 2, 2);
    assert_int_equal(in(0xcf9), 0);
    machine_port_write(m, 0x602, 2, VPM_PWRBTN);
    assert_int_equal(take(0x602, 2), VPM_PWRBTN);
    out(0xb2, VPM_ACPI_ENABLE);
    assert_int_equal(take(0x604, 2) & VPM_SCI_EN, VPM_SCI_EN);
    out(0x43, 0x34);
    out(0x40, 0x10);
    out(0x40, 0x00);
    assert_in_range(in(0x40), 0, 0x10);
    assert_int_equal(fake_log_lines[LOG_WARN], 0);
}

/* Port 0xCF9 lies among those of another device, whichever was accessed before. */
static void test_port_among_others(void **state)
{
    (void)state;
    out(0xcf9, 0x02);
    machine_port_write(m, 0xcf8, 4, 0x80000000);
    assert_int_equal(take(0xcf8, 4), 0x80000000);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(in(0xcf9), 0x02);
        assert_int_equal(in(0xcf9), 0x02);
        assert_int_equal(take(0xcf8, 4), 0x80000000);
        take(0x1234, 1);
    }
}

/* 0x21, 0xa1, 0x61 and 0x1231 are remembered at one place; each is still itself. */
static void test_ports_of_one_place(void **state)
{
    (void)state;
    out(0x21, 0x5a);
    out(0xa1, 0xa5);
    out(0x61, 0x02);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(in(0x21), 0x5a);
        assert_int_equal(in(0xa1), 0xa5);
        assert_int_equal(in(0x61) & 3, 2);
        assert_int_equal(in(0x1231), 0xff);
    }
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
    for (unsigned port = 0; port < 16; port++) /* never accessed: nothing is remembered of them */
        assert_int_equal(in((uint16_t)port), 0xff);
    assert_int_equal(fake_log_lines[LOG_WARN], WARNED_MOST);
}

static void test_nothing_there(void **state)
{
    (void)state;
    assert_int_equal(take(0x1234, 1), 0xff);
    assert_int_equal(take(0x1234, 2), 0xffff);
    assert_int_equal(take(0x1234, 4), 0xffffffff);
    machine_port_write(m, 0x1234, 4, 0);
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
    assert_true(fake_log_has("0x1234"));
    for (uint16_t port = 0x1000; port < 0x1100; port++)
        take(port, 1);
    assert_int_equal(fake_log_lines[LOG_WARN], WARNED_MOST);
}

static uint16_t plugged_at;
static uint32_t plugged_value;

static bool plugged_has(struct vpci_function *f, uint16_t port)
{
    (void)f;
    return (uint16_t)(port - plugged_at) < 8;
}

static uint32_t plugged_read(struct vpci_function *f, uint16_t port, unsigned size)
{
    (void)f;
    return plugged_value + port - plugged_at + size;
}

static void plugged_write(struct vpci_function *f, uint16_t port, unsigned size, uint32_t value)
{
    (void)f;
    plugged_value = value + port - plugged_at + size;
}

/* Of what is plugged into the PCI bus, wherever it moves; the board's own come first. */
static void test_ports_of_a_plugged_one(void **state)
{
    static const struct vpci_function_ops ops = { .has_port = plugged_has,
                                                  .port_read = plugged_read,
                                                  .port_write = plugged_write };
    struct vpci_function f = { &ops };

    (void)state;
    vpci_plug(&m->pci, 0, &f);
    plugged_at = 0xc000;
    machine_port_write(m, 0xc004, 4, 0x11220000);
    assert_int_equal(plugged_value, 0x11220008);
    assert_int_equal(take(0xc003, 2), 0x000d);
    assert_int_equal(fake_log_lines[LOG_WARN], 0);
    assert_int_equal(take(0xd000, 1), 0xff);
    machine_port_write(m, 0xd000, 1, 0);
    assert_int_equal(plugged_value, 0x11220008);
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
    plugged_at = 0xd000;
    assert_int_equal(take(0xd000, 1), 0x09);
    assert_int_equal(take(0xc003, 2), 0xffff);
    plugged_at = 0x3f8;
    assert_int_not_equal(take(0x3fd, 1), 0x0e);
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
}

/* A walk through a hole, byte by byte, is told of once. */
static void test_walk_through_a_hole(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10 * STRAYS_TOLD; i++) {
        if (2 * i == STRAYS_TOLD - 2)
            assert_int_equal(fake_log_lines[LOG_WARN], 0);
        machine_mmio_read(m, &guest_vcpu.lapic, gpa(0xd0000000 + 2 * i), 1);
        machine_mmio_write(m, &guest_vcpu.lapic, gpa(0xd0000001 + 2 * i), 1, 0);
    }
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
    assert_true(fake_log_has("at 0xd00003e7, where nothing is, as 999 times before"));
}

static void test_fw_cfg(void **state)
{
    static const struct vfwcfg_item signature = { 0, "QEMU", 4 };

    (void)state;
    assert_int_equal(in(0x511), 0xff); /* a PC without */
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
    firmware = &signature;
    build(&board_pc);
    machine_port_write(m, 0x510, 2, 0); /* one access of 16 bits, and not two bytes */
    assert_int_equal(in(0x511), 'Q');
    assert_int_equal(in(0x511), 'E');
    assert_int_equal(in(0x402), 0xff);
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
}

/* Its request and its bytes are in the guest's memory; what is behind the item comes as a device's
 * work does that is due. */
static void test_fw_cfg_copies(void **state)
{
    static const struct vfwcfg_item signature = { 0, "QEMU", 4 };
    static const uint8_t request[16] = { 0, 0, 0, 0x0A, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0x20, 0 };
    uint8_t bytes[8];

    (void)state;
    firmware = &signature;
    build(&board_pc);
    assert_int_equal(gmem_write(&guest.p2m, gpa(0x1000), request, sizeof(request)), 0);
    assert_int_equal(gmem_write(&guest.p2m, gpa(0x2000), "........", 8), 0);
    machine_port_write(m, 0x518, 4, 0x00100000);
    assert_true(m->due.ns <= xen_now(&guest.xen) + 1);
    machine_tick(m, m->due.ns);
    assert_int_equal(gmem_read(&guest.p2m, gpa(0x2000), bytes, 8), 0);
    assert_memory_equal(bytes, "QEMU\0\0..", 8);
    assert_int_equal(gmem_read(&guest.p2m, gpa(0x1000), bytes, 4), 0);
    assert_memory_equal(bytes, "\0\0\0\0", 4);
}

/* Where none is it says so, and a domain for whose memory none is left ends. */
static void test_fw_cfg_finds_no_memory(void **state)
{
    static const struct vfwcfg_item signature = { 0, "QEMU", 4 };
    static const uint8_t request[16] = { 0, 0, 0, 0x0A, 0, 0, 0, 4, 0xff };
    uint8_t control[4];

    (void)state;
    firmware = &signature;
    build(&board_pc);
    assert_int_equal(gmem_write(&guest.p2m, gpa(0x1000), request, sizeof(request)), 0);
    machine_port_write(m, 0x518, 4, 0x00100000);
    assert_int_equal(gmem_read(&guest.p2m, gpa(0x1000), control, 4), 0);
    assert_memory_equal(control, "\0\0\0\1", 4);
    assert_int_equal(guest.end, 0);
}

static void test_known_absent(void **state)
{
    static const uint16_t ports[] = { 0x80, 0xed, 0x2e8, 0x3ef, 0xcf8, 0xcfc };

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(in(ports[i]), 0xff);
        out(ports[i], 0);
    }
    assert_int_equal(fake_log_lines[LOG_WARN], 0);
    out(0xcf9, 0); /* in the middle of PCI's, and a device */
    assert_int_equal(fake_log_lines[LOG_WARN], 0);
}

/* The bus splits what is wider than a device of bytes, low port first. */
static void test_wide_accesses_to_byte_devices(void **state)
{
    (void)state;
    out(0x3fb, 0x80); /* DLAB: the divisor's two bytes */
    machine_port_write(m, 0x3f8, 2, 0x0102);
    assert_int_equal(in(0x3f8), 2);
    assert_int_equal(in(0x3f9), 1);
    assert_int_equal(take(0x3f8, 2), 0x0102);
    machine_port_write(m, 0x2fc, 4, 0x5a000003);
    assert_int_equal(take(0x2fc, 4) >> 24, 0x5a);
    assert_int_equal(in(0x2fc), 3);
    machine_port_write(m, 0x70, 2, 0xa540); /* index, then data */
    assert_int_equal(in(0x71), 0xa5);
    machine_port_write(m, 0x4d0, 2, 0x0c20);
    assert_int_equal(take(0x4d0, 2), 0x0c20);
    machine_port_write(m, 0x20, 2, 0xa50b); /* a command, then the mask */
    assert_int_equal(in(0x21), 0xa5);
    machine_port_write(m, 0x3d4, 2, 0x5a0e); /* index, then data: as text drivers write */
    assert_int_equal(in(0x3d4), 0x0e);
    assert_int_equal(in(0x3d5), 0x5a);
    assert_int_equal(take(0x3d4, 2), 0x5a0e);
    machine_port_write(m, 0x43, 1, 0xb6);
    assert_int_equal(take(0x61, 2) & 0xff, in(0x61));
    assert_int_equal(take(0x64, 1), take(0x64, 2) & 0xff);
    machine_port_write(m, 0x91, 2, 0x02ff); /* its first byte reaches nothing */
    assert_int_equal(in(0x92), 2);
    assert_int_equal(take(0x90, 4), 0xff02ffff);
}

/* What is next to the last byte is not there, and what is wide by itself stays whole. */
static void test_wide_accesses_at_borders(void **state)
{
    (void)state;
    machine_port_write(m, 0x3ff, 2, 0x1155);
    assert_int_equal(in(0x3ff), 0x55);
    assert_int_equal(take(0x3ff, 2), 0xff55);
    assert_int_equal(take(0x3fe, 4) >> 16, 0xffff);
    assert_int_equal(take(0xffff, 4), 0xffffffff);
    machine_port_write(m, 0xcf8, 4, 0x80000604); /* no reset: it is the address of PCI's */
    assert_int_equal(guest.end, END_NOT);
    assert_int_equal(take(0xcf8, 4), 0x80000604);
    machine_port_write(m, 0xcf9, 2, 0x0006);
    assert_int_equal(guest.end, END_REBOOT);
    guest.end = END_NOT;
}

/* ---- Ends ---- */

static void ends(enum domain_end end)
{
    assert_int_equal(guest.end, end);
    guest.end = END_NOT;
}

static void test_ways_to_end(void **state)
{
    (void)state;
    out(0xcf9, 0x02);
    ends(END_NOT);
    out(0xcf9, 0x06);
    ends(END_REBOOT);
    out(0x64, 0xfe);
    ends(END_REBOOT);
    out(0x92, 0x01);
    ends(END_REBOOT);
    machine_port_write(m, 0x604, 2, 1 << 13 | 1 << 10); /* S1, which there is not */
    ends(END_NOT);
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
    for (unsigned i = 0; i < 1000; i++) /* no guest fills the operator's log */
        machine_port_write(m, 0x604, 2, 1 << 13 | (i % 5) << 10);
    ends(END_NOT);
    assert_int_equal(fake_log_lines[LOG_WARN], 5);
    machine_port_write(m, 0x604, 2, 1 << 13 | VPM_SLP_TYP_S5 << 10);
    ends(END_POWEROFF);
}

/* ---- Lines ---- */

static void init_pic(void)
{
    static const uint16_t port[] = { 0x20, 0xa0 };

    for (unsigned i = 0; i < 2; i++) {
        out(port[i], 0x11);
        out(port[i] + 1, i ? 0x28 : 0x20);
        out(port[i] + 1, i ? 2 : 4);
        out(port[i] + 1, 1);
        out(port[i] + 1, 0);
    }
}

static void ioapic_write(uint32_t index, uint32_t value)
{
    machine_mmio_write(m, &guest_vcpu.lapic, gpa(HVM_IOAPIC_BASE), 4, index);
    machine_mmio_write(m, &guest_vcpu.lapic, gpa(HVM_IOAPIC_BASE + 0x10), 4, value);
}

/* Vector 0x50 + pin for each pin, to APIC 0, masked but for one. */
static void route(unsigned open)
{
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        ioapic_write(0x11 + 2 * pin, 0);
        ioapic_write(0x10 + 2 * pin, (0x50 + pin) | (pin == open ? 0 : 1 << 16));
    }
}

static void test_com1_interrupts(void **state)
{
    (void)state;
    guest_running = NULL; /* it comes from elsewhere */
    init_pic();
    route(HVM_COM1_IRQ);
    out(0x3fc, 0x08);
    out(0x3f9, 0x02); /* the transmitter is empty: at once */
    assert_true(vpic_pending(&m->pic));
    assert_int_equal(vpic_ack(&m->pic), 0x24);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x54);
    assert_true(guest_kicks > 0);
}

static unsigned ended;

static void was_ended(struct vpci_function *f)
{
    (void)f;
    ended++;
}

/* PCI's lines are pins of the I/O APIC, two and two an input of the 8259s; the end of an interrupt
 * at either is told of, as is that by a new beginning. */
static void test_pci_lines(void **state)
{
    static const struct vpci_function_ops ops = { .ended = was_ended };
    static struct vpci_function f[2] = { { &ops }, { &ops } };

    (void)state;
    has_pci = true;
    ended = 0;
    build(&board_pc);
    vpci_plug(&m->pci, 1, &f[0]);
    vpci_plug(&m->pci, 2, &f[1]);
    init_pic();
    out(0x4d1, 0x0c);
    assert_int_equal(in(0x4d1), 0x0c);
    vpci_raise(&m->pci, 1, 1);
    vpci_raise(&m->pci, 2, 2);
    assert_int_equal(vpic_ack(&m->pic), 0x28 + 2);
    assert_int_equal(in(0xa1), 0);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    assert_int_equal(ended, 2); /* of both lines */
    assert_false(vpic_pending(&m->pic));
    vpci_raise(&m->pci, 0, 1);
    assert_int_equal(vpic_ack(&m->pic), 0x28 + 3);
    vpci_raise(&m->pci, 3, 2);
    init_pic();
    assert_int_equal(ended, 4);
    assert_false(vpic_pending(&m->pic));

    route(HVM_PCI_GSI + 3);
    ioapic_write(0x10 + 2 * (HVM_PCI_GSI + 3), 0x8063);
    vpci_raise(&m->pci, 3, 1);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x63);
    vlapic_ack(&guest_vcpu.lapic, 0x63);
    vioapic_eoi(&m->ioapic, 0x63);
    assert_int_equal(ended, 5);
    assert_int_equal(m->ioapic.lines, 0);
}

/* A board that nothing is plugged into knows nothing of it. */
static void test_no_pci_lines(void **state)
{
    (void)state;
    assert_null(m->pci.intx.set);
    assert_int_equal(m->ioapic.watched, 0);
    assert_ptr_equal(m->device[DEV_PIC], &m->pic.dev);
}

static void test_com2_and_rtc_lines(void **state)
{
    (void)state;
    init_pic();
    route(HVM_COM2_IRQ);
    out(0x2fc, 0x08);
    out(0x2f9, 0x02);
    assert_int_equal(vpic_ack(&m->pic), 0x23);
    out(0x20, 0x20);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x53);
    vlapic_ack(&guest_vcpu.lapic, 0x53);
    machine_mmio_write(m, &guest_vcpu.lapic, gpa(0xfee000b0), 4, 0); /* EOI */
    route(HVM_RTC_IRQ);
    out(0x70, 0x0b);
    out(0x71, 0x42); /* periodic */
    fake_tsc += 2 * MS;
    machine_tick(m, xen_now(&guest.xen));
    assert_int_equal(vpic_ack(&m->pic), 0x28);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x58);
}

/* The timer is input 0 of the 8259 and pin 2 of the I/O APIC. */
static void test_timer_line(void **state)
{
    (void)state;
    init_pic();
    route(HVM_PIT_GSI);
    out(0x43, 0x34);
    out(0x40, 0xa9);
    out(0x40, 0x04); /* 1193 ticks: 1 ms */
    fake_tsc += 2 * MS;
    machine_tick(m, xen_now(&guest.xen));
    assert_int_equal(vpic_ack(&m->pic), 0x20);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x52);
}

static uint64_t hpet_read(uint32_t offset, unsigned size)
{
    return machine_mmio_read(m, &guest_vcpu.lapic, gpa(HVM_HPET_BASE + offset), size);
}

static void hpet_write(uint32_t offset, uint64_t value)
{
    machine_mmio_write(m, &guest_vcpu.lapic, gpa(HVM_HPET_BASE + offset), 8, value);
}

/* Timer n matches `ticks` from now. */
static void hpet_start(unsigned n, uint32_t config, uint32_t ticks)
{
    hpet_write(0x100 + 0x20 * n, config);
    hpet_write(0x108 + 0x20 * n, hpet_read(0xf0, 8) + ticks);
}

static void test_hpet_pin(void **state)
{
    (void)state;
    init_pic();
    route(20);
    hpet_write(0x10, 1);
    hpet_start(2, 20 << 9 | 4, 12500);
    assert_in_range(m->due.ns, 1, 2 * MS); /* the machine has asked */
    machine_tick(m, m->due.ns);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x50 + 20);
    assert_false(vpic_pending(&m->pic));
    assert_int_equal(m->due.ns, TIME_NEVER);
}

/* It takes the timer's line, and the PIT is not heard until it gives that back. */
static void test_hpet_replaces_legacy(void **state)
{
    (void)state;
    init_pic();
    route(HVM_PIT_GSI);
    hpet_write(0x10, 3);
    out(0x43, 0x34);
    out(0x40, 0xa9);
    out(0x40, 0x04);
    fake_tsc += 2 * MS;
    machine_tick(m, xen_now(&guest.xen));
    assert_false(vpic_pending(&m->pic));
    hpet_start(0, 4, 125);
    hpet_start(1, 4, 125);
    fake_tsc += MS;
    machine_tick(m, xen_now(&guest.xen));
    assert_int_equal(vpic_ack(&m->pic), 0x20);
    out(0x20, 0x20);
    assert_int_equal(vpic_ack(&m->pic), 0x28);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x52);
    hpet_write(0x10, 1);
    fake_tsc += 2 * MS;
    machine_tick(m, xen_now(&guest.xen));
    assert_int_equal(vpic_ack(&m->pic), 0x20); /* the PIT's again */
    assert_false(vpic_pending(&m->pic));
}

static void test_hpet_absent(void **state)
{
    (void)state;
    assert_true(machine_has_mmio(m, &guest_vcpu.lapic, gpa(HVM_HPET_BASE)));
    assert_int_equal(hpet_read(0, 8) >> 32, 80000000);
    assert_int_equal(hpet_read(2, 1) & 0xff, 0x86);
    no_hpet = true;
    build(&board_pc);
    assert_false(machine_has_mmio(m, &guest_vcpu.lapic, gpa(HVM_HPET_BASE)));
    assert_true(hpet_read(0, 8) == UINT64_MAX);
    hpet_write(0x10, 3); /* and the PIT keeps its line */
    test_timer_line(state);
}

static void test_sci(void **state)
{
    (void)state;
    init_pic();
    route(HVM_SCI_IRQ);
    out(0xb2, VPM_ACPI_ENABLE);
    machine_port_write(m, 0x602, 2, VPM_PWRBTN);
    vpm_power_button(&m->pm);
    assert_int_equal(vpic_ack(&m->pic), 0x29);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x59);
}

/* A pvh guest's board: the two ways to end, and nothing to warn of where a PC has something. */
static void test_pvh(void **state)
{
    static const uint16_t absent[] = { 0x10,  0x20,  0x61,  0x70,  0x80,   0x87,  0xa1,
                                       0x3f8, 0x4d0, 0x4d1, 0xcf8, 0xaf00, 0xaf07 };
    static const uint16_t zeros[] = { 0x42, 0xafe0, 0xafe3, 0xb000, 0xb002 };

    (void)state;
    build(&board_pvh);
    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        assert_int_equal(in(absent[i]), 0xff);
    for (unsigned i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
        assert_int_equal(in(zeros[i]), 0); /* 0x42: Linux would wait for ones to become less */
    assert_int_equal(fake_log_lines[LOG_WARN], 0);
    in(0x4d2);
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
    assert_false(machine_has_mmio(m, &guest_vcpu.lapic, gpa(HVM_IOAPIC_BASE)));
    assert_false(vpic_pending(&m->pic));
    assert_int_equal(m->due.ns, TIME_NEVER);
    vpm_power_button(&m->pm); /* no line to ask with */
    out(0xcf9, 0x06);
    assert_int_equal(guest.end, END_REBOOT);
    guest.end = END_NOT;
    out(0x605, 1 << 5 | VPM_SLP_TYP_S5 << 2); /* the upper byte of PM1's control */
    assert_int_equal(guest.end, END_POWEROFF);
}

/* ---- Time ---- */

static void program_pit(uint16_t count)
{
    out(0x43, 0x34);
    out(0x40, (uint8_t)count);
    out(0x40, count >> 8);
}

static void test_due(void **state)
{
    (void)state;
    assert_int_equal(m->due.ns, TIME_NEVER);
    program_pit(11932); /* 10 ms */
    uint64_t slow = m->due.ns;
    assert_in_range(slow, 9 * MS, 11 * MS);
    assert_int_equal(m->device_due[DEV_PIT], slow);
    out(0x70, 0x0a);
    out(0x71, 0x26);
    out(0x70, 0x0b);
    out(0x71, 0x42); /* 1024 Hz: sooner */
    assert_in_range(m->due.ns, 0, 2 * MS);
    out(0x71, 0x02);
    assert_int_equal(m->due.ns, slow); /* the PIT's again */
    assert_int_equal(m->due.tsc, guest.xen.tsc_zero + slow);
}

static void test_tick_only_who_is_due(void **state)
{
    (void)state;
    init_pic();
    program_pit(1193); /* OUT goes up: the first edge */
    assert_int_equal(vpic_ack(&m->pic), 0x20);
    out(0x20, 0x20);
    machine_tick(m, m->due.ns - 1);
    assert_false(vpic_pending(&m->pic));
    uint64_t due = m->due.ns;
    machine_tick(m, due);
    assert_true(vpic_pending(&m->pic));
    assert_in_range(m->due.ns, due + 1, due + 2 * MS);
}

/* A counter is read after its edge and before the tick: the guest gets the edge with the count. The
 * machine need not know at once that the next one is later. */
static void test_counter_read_late(void **state)
{
    (void)state;
    init_pic();
    program_pit(1193);
    assert_int_equal(vpic_ack(&m->pic), 0x20);
    out(0x20, 0x20);
    uint64_t due = m->due.ns;
    fake_tsc = guest.xen.tsc_zero + due - 1;
    in(0x40);
    assert_false(vpic_pending(&m->pic));
    fake_tsc = guest.xen.tsc_zero + due;
    in(0x40);
    assert_true(vpic_pending(&m->pic));
    assert_true(m->due.ns <= due);
    machine_tick(m, xen_now(&guest.xen));
    assert_in_range(m->due.ns, due + 1, due + 2 * MS);
}

/* What is written down to look like firmware's work moves deadlines, and no vCPU: it would run. */
static void test_being_built_kicks_nobody(void **state)
{
    (void)state;
    guest.state = DOMAIN_BUILDING;
    guest_running = NULL;
    pc_start_as_firmware(m);
    assert_int_equal(guest_kicks, 0);
    guest.state = DOMAIN_RUNNING;
    pc_start_as_firmware(m);
    assert_true(guest_kicks > 0);
}

/* As a PC hands them over: interrupts from vectors 8 and 0x70 on; of devices the timer's alone are
 * not masked, 18.2065 a second. */
static void test_started_as_firmware(void **state)
{
    uint64_t last = 0;

    (void)state;
    pc_start_as_firmware(m);
    assert_int_equal(in(0x21), 0xfa); /* the timer, and the second chip's */
    assert_int_equal(in(0xa1), 0xff);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(vpic_ack(&m->pic), 0x08);
        out(0x20, 0x20);
        assert_in_range(m->due.ns - last, 54900000, 54950000);
        last = m->due.ns;
        machine_tick(m, last);
    }
    assert_int_equal(vpic_ack(&m->pic), 0x08);
    out(0x20, 0x20);
    out(0xa1, 0xfe);
    vpic_set_irq(&m->pic, HVM_RTC_IRQ, true);
    assert_int_equal(vpic_ack(&m->pic), 0x70);
}

/* Another pCPU's access may make something due sooner than vCPU 0 thinks. */
static void test_sooner_kicks(void **state)
{
    (void)state;
    program_pit(11932);
    assert_int_equal(guest_kicks, 0); /* vCPU 0 did it itself, and looks again */
    assert_true(guest_vcpu.unit.attention);
    guest_running = &second.unit;
    program_pit(1193);
    assert_true(guest_kicks > 0);
}

/* ---- Memory ---- */

static void test_mmio(void **state)
{
    (void)state;
    assert_int_equal(machine_mmio_read(m, &guest_vcpu.lapic, gpa(0xfee00030), 4) & 0xff, 0x14);
    machine_mmio_write(m, &guest_vcpu.lapic, gpa(0xfee00080), 4, 0x20);
    assert_int_equal(machine_mmio_read(m, &guest_vcpu.lapic, gpa(0xfee00080), 4), 0x20);
    machine_mmio_write(m, &guest_vcpu.lapic, gpa(HVM_IOAPIC_BASE), 4, 1);
    assert_int_equal(machine_mmio_read(m, &guest_vcpu.lapic, gpa(HVM_IOAPIC_BASE + 0x10), 4) & 0xff,
                     VIOAPIC_VERSION);
    assert_int_equal(machine_mmio_read(m, &guest_vcpu.lapic, gpa(0xd0000000), 4) & 0xffffffff, ~0u);
    assert_int_equal(machine_mmio_read(m, &guest_vcpu.lapic, gpa(0xd0000000), 8), ~0ul);
    machine_mmio_write(m, &guest_vcpu.lapic, gpa(0xd0000000), 8, 0);
    assert_int_equal(
        machine_mmio_read(m, &guest_vcpu.lapic, gpa(HVM_IOAPIC_BASE - 4), 4) & 0xffffffff, ~0u);
}

static void test_lapic_moves_and_goes(void **state)
{
    (void)state;
    assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, 0x1b, 0xfed10900, 0), 0);
    assert_int_equal(machine_mmio_read(m, &guest_vcpu.lapic, gpa(0xfed10030), 4) & 0xff, 0x14);
    assert_int_equal(machine_mmio_read(m, &guest_vcpu.lapic, gpa(0xfee00030), 4) & 0xff, 0xff);
    assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, 0x1b, 0xfed10d00, 0), 0); /* x2APIC */
    assert_int_equal(machine_mmio_read(m, &guest_vcpu.lapic, gpa(0xfed10030), 4) & 0xff, 0xff);
}

/* The vCPU that asks meets its own local APIC; which tells when its timer is due. */
static void test_own_lapic(void **state)
{
    (void)state;
    start_lapic(&second, 1);
    moment_init(&second.lapic_due);
    guest.vcpus[1] = &second;
    guest.xen.vcpu_count = 2;
    assert_int_equal(machine_mmio_read(m, &second.lapic, gpa(0xfee00020), 4), 1 << 24);
    machine_mmio_write(m, &second.lapic, gpa(0xfee003e0), 4, 0xb);
    machine_mmio_write(m, &second.lapic, gpa(0xfee00320), 4, 0x40);
    machine_mmio_write(m, &second.lapic, gpa(0xfee00380), 4, 1000000);
    assert_int_equal(second.lapic_due.ns, xen_now(&guest.xen) + MS);
    assert_int_equal(guest_vcpu.lapic_due.ns, TIME_NEVER);
}

/* ---- Messages ---- */

static void two_vcpus(void)
{
    start_lapic(&second, 1);
    guest.vcpus[1] = &second;
    guest.xen.vcpu_count = 2;
}

static void message(enum apic_mode mode, uint32_t dest, bool logical)
{
    struct apic_message msg = { .dest = dest, .mode = mode, .vector = 0x60, .logical = logical };

    guest_kicks = 0;
    lapic_message(&guest, &msg);
}

static bool got(struct vcpu *v)
{
    int vector = vlapic_pending(&v->lapic);

    if (vector < 0)
        return false;
    assert_int_equal(vector, 0x60);
    vlapic_ack(&v->lapic, 0x60);
    v->lapic.dev.ops->write(&v->lapic.dev, 0xb0, 4, 0, 0); /* EOI */
    return true;
}

static void test_fixed(void **state)
{
    (void)state;
    two_vcpus();
    message(APIC_FIXED, 1, false);
    assert_false(got(&guest_vcpu));
    assert_true(got(&second));
    assert_int_equal(guest_kicks, 1);
    message(APIC_FIXED, APIC_DEST_ALL, false);
    assert_true(got(&guest_vcpu));
    assert_true(got(&second));
    message(APIC_FIXED, 7, false);
    assert_int_equal(guest_kicks, 0);
}

static void test_lowest_priority(void **state)
{
    (void)state;
    guest_running = NULL; /* it comes from elsewhere */
    two_vcpus();
    for (unsigned i = 0; i < 2; i++) { /* logical ids 1 and 2, flat */
        struct device *dev = &guest.vcpus[i]->lapic.dev;
        dev->ops->write(dev, 0xd0, 4, 1u << (24 + i), 0);
    }
    message(APIC_LOWEST, 3, true);
    assert_int_equal(got(&guest_vcpu) + got(&second), 1); /* one of them, not both */
    assert_int_equal(guest_kicks, 1);
    message(APIC_LOWEST, 2, true);
    assert_true(got(&second));
}

/* An APIC that software has switched off takes no interrupt: another one must get it. */
static void test_lowest_priority_enabled(void **state)
{
    struct device *dev = &guest_vcpu.lapic.dev;

    (void)state;
    two_vcpus();
    for (unsigned i = 0; i < 2; i++) {
        struct device *d = &guest.vcpus[i]->lapic.dev;
        d->ops->write(d, 0xd0, 4, 1u << (24 + i), 0);
    }
    dev->ops->write(dev, 0xf0, 4, 0xff, 0);
    message(APIC_LOWEST, 3, true);
    assert_true(got(&second));
}

static void test_other_modes(void **state)
{
    (void)state;
    guest_running = NULL; /* it comes from elsewhere */
    message(APIC_NMI, 0, false);
    assert_int_equal(cpu()->nmis, 1);
    assert_int_equal(guest_kicks, 1);
    message(APIC_INIT, 0, false);
    assert_int_equal(guest_inits, 1);
    message(APIC_STARTUP, 0, false);
    assert_int_equal(guest_startup_page, 0x60);
    message(APIC_SMI, 0, false);
    message(APIC_EXTINT, 0, false);
    assert_int_equal(guest_kicks, 0);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), -1);
}

/* ---- Console ---- */

static void test_console(void **state)
{
    (void)state;
    out(0x3f8, 'A');
    out(0x2f8, 'B'); /* leads nowhere */
    assert_int_equal(sent_count, 1);
    assert_int_equal(sent[0], 'A');
    full = true;
    out(0x3f8, 'C');
    assert_int_equal(in(0x3fd) & 0x20, 0); /* not empty */
    full = false;
    machine_console_kick(m);
    assert_int_equal(sent_count, 2);
    assert_int_equal(sent[1], 'C');
    assert_int_equal(in(0x3fd) & 0x20, 0x20);
    assert_true(machine_console_give(m, 'x'));
    assert_false(machine_console_give(m, 'y')); /* no FIFO yet: one byte */
    assert_int_equal(in(0x3f8), 'x');
    assert_int_equal(rooms, 1);
    assert_true(machine_console_give(m, 'y'));
}

/* A byte that waits in the FIFO is told of after a while: the machine has to know when. */
static void test_console_timeout_is_due(void **state)
{
    (void)state;
    out(0x3fa, 0x81); /* FIFO, trigger at 8 */
    out(0x3f9, 0x01);
    assert_true(machine_console_give(m, 'x'));
    assert_int_not_equal(m->due.ns, TIME_NEVER);
    in(0x3f8);
    assert_int_equal(m->due.ns, TIME_NEVER);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_device_answers),
        TEST(test_port_among_others),
        TEST(test_ports_of_one_place),
        TEST(test_nothing_there),
        TEST(test_walk_through_a_hole),
        TEST(test_ports_of_a_plugged_one),
        TEST(test_fw_cfg),
        TEST(test_fw_cfg_copies),
        TEST(test_fw_cfg_finds_no_memory),
        TEST(test_known_absent),
        TEST(test_wide_accesses_to_byte_devices),
        TEST(test_wide_accesses_at_borders),
        TEST(test_ways_to_end),
        TEST(test_com1_interrupts),
        TEST(test_com2_and_rtc_lines),
        TEST(test_pci_lines),
        TEST(test_no_pci_lines),
        TEST(test_timer_line),
        TEST(test_hpet_pin),
        TEST(test_hpet_replaces_legacy),
        TEST(test_hpet_absent),
        TEST(test_sci),
        TEST(test_pvh),
        TEST(test_due),
        TEST(test_tick_only_who_is_due),
        TEST(test_counter_read_late),
        TEST(test_being_built_kicks_nobody),
        TEST(test_started_as_firmware),
        TEST(test_sooner_kicks),
        TEST(test_mmio),
        TEST(test_lapic_moves_and_goes),
        TEST(test_own_lapic),
        TEST(test_fixed),
        TEST(test_lowest_priority),
        TEST(test_lowest_priority_enabled),
        TEST(test_other_modes),
        TEST(test_console),
        TEST(test_console_timeout_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
