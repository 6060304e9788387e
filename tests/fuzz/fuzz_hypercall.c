/* clang-format off */
/* links: hypercall/hypercall.c control/platform_op.c control/control.c control/domctl.c control/domctl_info.c control/domctl_sched.c control/domctl_create.c control/domctl_save.c control/vcpu_context.c control/policy.c control/context.c virt/msr.c devices/vlapic_save.c context/context_rest.c context/context_cpu.c context/stream.c cpu/cpu_policy.c control/sysctl.c control/sysctl_log.c control/sysctl_machine.c hypercall/console_io.c hypercall/sched_op.c hypercall/xen_version.c hypercall/memory_op.c hypercall/memory_foreign.c hypercall/vcpu_op.c xen/xen_context.c hypercall/hvm_op.c hypercall/vm_assist.c hypercall/multicall.c hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c xen/pv_vcpu.c xen/pv_time.c xen/pv_console.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/p2m_lent.c guestmem/gmem.c arch/x86/moment.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c tests/fakes/str_copy.c tests/fakes/bus.c tests/fakes/guest.c tests/fakes/other.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/control.c tests/fakes/panic.c */
/* clang-format on */
/*
 * Hypercalls of a guest with two vCPUs, whole: registers, arguments in its memory, its page tables.
 * Beside it is another domain, for it to rule over while it is the control domain.
 *
 * The input is a program. Each step is a call (number, command, how the registers are filled, the
 * bytes that its pointer leads to), or bytes written to the guest's memory, or time that passes
 * and an entry into the guest, or another mode, or an allocation that will fail.
 *
 * What must hold: no assertion, nothing that the sanitizers see, a call that ends or goes on, and
 * all memory back at the end.
 */
#include <stdlib.h>
#include <string.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "cpu/cpu_model.h"
#include "guestmem/gmem.h"
#include "xen/pv_console.h"
#include "xen/evtchn.h"
#include "grant/grant.h"
#include "hypercall/hypercall.h"
#include "include/public/xen.h"
#include "lib/assert.h"
#include "mm/frame.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/log.h"
#include "tests/fakes/other.h"
#include "tests/fuzz/input.h"

#define ARENA       0x5000ul /* four pages for arguments */
#define ARENA_BYTES 0x4000ul
#define STEPS_MOST  64
#define GO_ON_MOST  8 /* times that one call is continued, before the guest does something else */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t numbers[] = {
    XEN_HYPERCALL_MEMORY_OP,   XEN_HYPERCALL_MULTICALL,        XEN_HYPERCALL_SET_TIMER_OP,
    XEN_HYPERCALL_XEN_VERSION, XEN_HYPERCALL_CONSOLE_IO,       XEN_HYPERCALL_GRANT_TABLE_OP,
    XEN_HYPERCALL_VM_ASSIST,   XEN_HYPERCALL_VCPU_OP,          XEN_HYPERCALL_SCHED_OP,
    XEN_HYPERCALL_HVM_OP,      XEN_HYPERCALL_EVENT_CHANNEL_OP, XEN_HYPERCALL_PHYSDEV_OP,
    XEN_HYPERCALL_PLATFORM_OP, XEN_HYPERCALL_SYSCTL,           XEN_HYPERCALL_DOMCTL,
};

static const struct domain_config config = { .mem = GUEST_END };
static struct vcpu second;
static struct sched_group account;
static struct vlapic_page pages[2];
static unsigned room; /* of the operator's console */

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
    (void)d;
}

static const struct domain_hooks hooks = { .console_put = put, .console_room = console_has_room };

static size_t bus_put(struct xen_domain *d, const uint8_t *bytes, size_t n)
{
    return put(LIST_ENTRY(d, struct domain, xen), bytes, n);
}

static void bus_room(struct xen_domain *d)
{
    console_has_room(LIST_ENTRY(d, struct domain, xen));
}

static const struct xen_console_bus console_bus = { .put = bus_put, .room = bus_room };

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

static const struct vlapic_bus bus = { .send_ipi = send_ipi, .eoi = eoi };

struct xen_domain *xen_domain_get(uint16_t id)
{
    struct xen_domain *d = id == GUEST_ID ? &guest.xen : id == OTHER_ID ? &other.xen : NULL;

    if (d)
        xen_domain_hold(d);
    return d;
}

struct xen_domain *xen_domain_next(const struct xen_domain *after)
{
    return after == &guest.xen ? NULL : after ? &guest.xen : &other.xen;
}

void xen_domain_hold(struct xen_domain *d)
{
    d->holders++;
}

void xen_domain_put(struct xen_domain *d)
{
    ASSERT(d->holders > 0);
    d->holders--;
}

unsigned domain_e820(const struct domain *d, struct e820_entry out[E820_MOST])
{
    (void)d;
    out[0] = (struct e820_entry){ 0, 0xa0000, E820_RAM };
    out[1] = (struct e820_entry){ 0x100000, 0xf00000, E820_RAM };
    return 2;
}

uint64_t frame_table_size(void)
{
    return 0x10000;
}

uint64_t cpu_model_cr4_mask(void)
{
    return CR4_PAE | CR4_PSE | CR4_PGE;
}

uint8_t cpu_model_address_bits(void)
{
    return 40;
}

/* ---- The guest ---- */

static void begin(void)
{
    fake_tsc = 0;
    guest_start();
    fake_log_reset();
    guest.config = &config;
    guest.account = &account;
    account = (struct sched_group){ .weight = 256 };
    guest.type = DOMAIN_PVH;
    domain_set_hooks(&hooks);
    memset(pages, 0, sizeof(pages));
    guest_init_vcpu(&second, 1);
    second.waits_for_startup = true;
    guest.xen.vcpu_count = 0;
    guest.vcpus[1] = &second;
    ASSERT(pv_domain_init(&guest.xen) == 0);
    for (unsigned i = 0; i < 2; i++) {
        struct vcpu *v = guest.vcpus[i];
        vlapic_init(&v->lapic, i, 1000000000, &bus, &pages[i]);
        moment_init(&v->lapic_due);
        pv_vcpu_init(&v->xen, &guest.xen, &v->unit);
    }
    ASSERT(pv_console_init(&guest.xen, &console_bus) == 0);
    other_start(&config, &account);
    guest_mode(DECODE_64);
    cpu()->insn_len = 3;
    room = 64;
}

static void end(void)
{
    frame_fail_nth(0);
    ASSERT(!spin_is_locked(&guest.lock) && guest.xen.holders == 0);
    ASSERT(!spin_is_locked(&other.lock) && other.xen.holders == 0);
    other_detach();
    pv_domain_destroy(&guest.xen);
    guest_stop();
    other_stop();
    ASSERT(fake_heap_in_use() == 0);
}

/* ---- Steps ---- */

/* A place for arguments: at the start of a page, in the middle, or n bytes before the end of one.
 */
static uint64_t place(uint8_t choice, uint8_t n)
{
    uint64_t page = ARENA + (choice & 3ul) * PAGE_SIZE;

    if (choice & 4)
        return page + PAGE_SIZE - n;
    return page + (choice >> 3) * 64ul;
}

/* Puts up to 255 bytes there. */
static uint64_t take_argument(struct input *in)
{
    uint8_t choice = input_byte(in), n = input_byte(in);
    const uint8_t *from;
    uint64_t at = place(choice, n);
    size_t length = input_bytes(in, &from, n);

    if (length)
        (void)!gmem_write(&guest.p2m, gpa(at), from, length);
    return at;
}

/* What a register holds: two bits say what kind of number. */
static uint64_t take_register(struct input *in, unsigned kind, uint64_t command, uint64_t pointer)
{
    switch (kind) {
    case 0:
        return command;
    case 1:
        return pointer;
    case 2:
        return input_byte(in);
    default:
        return input_number(in, 8);
    }
}

static void step_call(struct input *in, struct vcpu *v)
{
    static const enum gpr wide[] = { GPR_RDI, GPR_RSI, GPR_RDX, GPR_R10 };
    static const enum gpr narrow[] = { GPR_RBX, GPR_RCX, GPR_RDX, GPR_RSI };
    uint8_t number = input_byte(in), command = input_byte(in), kinds = input_byte(in);
    uint64_t pointer = take_argument(in);

    virt_set_gpr(&v->virt, GPR_RAX,
                 number < 240 ? numbers[number % sizeof(numbers)] : number - 240u);
    for (unsigned i = 0; i < 4; i++)
        virt_set_gpr(&v->virt, virt_in_64bit_code(&v->virt) ? wide[i] : narrow[i],
                     take_register(in, kinds >> 2 * i & 3, command, pointer));
    spin_lock(&guest.lock);
    for (unsigned i = 0; i < GO_ON_MOST && !hypercall_handle(v) && !guest.end; i++)
        room = room ? room : 16;
    spin_unlock(&guest.lock);
}

/* Bytes into the arguments' pages, the page tables, or anywhere. */
static void step_write(struct input *in)
{
    uint8_t choice = input_byte(in), n = input_byte(in);
    const uint8_t *from;
    uint64_t at = choice < 128   ? ARENA + input_number(in, 2) % ARENA_BYTES
                  : choice < 192 ? 0x1000 + input_number(in, 2) % 0x2000
                                 : input_number(in, 4);
    size_t length = input_bytes(in, &from, n);

    if (length)
        (void)!gmem_write(&guest.p2m, gpa(at), from, length);
}

/* Time passes; then what is done before the guest is entered. */
static void step_time(struct input *in)
{
    uint8_t bytes = input_byte(in) % 6;

    fake_tsc += bytes ? input_number(in, bytes) : 1;
    spin_lock(&guest.lock);
    for (unsigned i = 0; i < guest.xen.vcpu_count; i++) {
        struct vcpu *v = guest.vcpus[i];
        (void)!pv_tick(&v->xen, xen_now(&guest.xen));
        pv_runstate(&v->xen, (enum xen_runstate)(bytes % XEN_RUNSTATES));
        if (pv_upcall_due(&v->xen))
            (void)pv_upcall_take(&v->xen);
        p2m_reap(&guest.p2m, 0);
    }
    if (bytes == 5)
        pv_console_kick(&guest.xen);
    for (unsigned i = 0; i < bytes; i++)
        if (pv_console_give(&guest.xen, 'x'))
            pv_console_given(&guest.xen);
    spin_unlock(&guest.lock);
}

/* Another mode, or another privilege. */
static void step_mode(struct input *in)
{
    uint8_t choice = input_byte(in);

    guest_mode(choice & 1 ? DECODE_64 : DECODE_32);
    guest_cpl(choice >= 0xe0 ? 3 : 0);
    if (choice & 2)
        cpu()->cr0 |= CR0_WP;
}

static void step(struct input *in)
{
    switch (input_byte(in) % 16) {
    case 0:
        step_mode(in);
        return;
    case 1:
    case 2:
        step_write(in);
        return;
    case 3:
    case 4:
        step_time(in);
        return;
    case 5:
        frame_fail_nth(1 + input_byte(in) % 8);
        return;
    case 7: /* the control domain, or not */
        guest.xen.control ^= true;
        return;
    case 6:
        (void)!pv_hypercall_page(&guest.xen, input_number(in, 4), false);
        return;
    default:
        step_call(in, &guest_vcpu);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    begin();
    for (unsigned n = 0; n < STEPS_MOST && !input_ended(&in) && !guest.end; n++)
        step(&in);
    end();
    return 0;
}
