/*
 * The first vCPU: has Caisson read what the second one changes. Calls of all kinds with arguments
 * that are changed meanwhile, events that interrupt it, instructions on a hole in memory, copies
 * through page tables, grants of its own.
 *
 * What would end or stop this guest as it should is left out.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/event.h"
#include "guest/lib/grant.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/lapic.h"
#include "guest/lib/trap.h"
#include "guest/racer/racer.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/hvm/params.h"
#include "include/public/memory.h"
#include "include/public/vcpu.h"

#define UPCALL    0x60
#define PERIOD_NS 1000000ul
#define MAPS      16 /* pages of GUEST_GRANT_MAPS */

struct acted acted;
static bool queues; /* and not two levels */

/* ---- Interrupts ---- */

static void on_interrupt(struct trap *t)
{
    if (t->vector != UPCALL) {
        wrmsr(X2APIC_MSR(LAPIC_EOI), 0);
        return;
    }
    acted.upcalls++;
    __atomic_store_n(&raced.info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&raced.info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
}

static int64_t call(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3)
{
    int64_t result;

    raced.turn++;
    result = hypercall(nr, a1, a2, a3);
    raced.turn++;
    acted.calls++;
    acted.refused += result < 0;
    return result;
}

static int64_t event_call(uint64_t op, void *arg)
{
    return call(XEN_HYPERCALL_EVENT_CHANNEL_OP, op, (uint64_t)arg, 0);
}

/* ---- Setting up, again and again: chance takes it all away ---- */

static void bind_port(void)
{
    struct xen_evtchn_bind_ipi ipi = { .vcpu = 0 };
    struct xen_evtchn_bind_virq timer = { .virq = XEN_VIRQ_TIMER };
    struct xen_evtchn_unmask unmask;

    if (event_call(EVTCHNOP_BIND_VIRQ, &timer) == 0) {
        unmask.port = timer.port;
        event_call(EVTCHNOP_UNMASK, &unmask);
    }
    if (event_call(EVTCHNOP_BIND_IPI, &ipi))
        return;
    unmask.port = ipi.port;
    event_call(EVTCHNOP_UNMASK, &unmask);
    raced.port = ipi.port;
}

/* Back to two levels, or on to queues. */
static void change_abi(uint64_t *seed)
{
    struct xen_evtchn_reset reset = { .dom = XEN_DOMID_SELF };
    struct xen_evtchn_expand_array array = { .array_gfn = (uint64_t)raced.fifo_words >> 12 };

    raced.port = 0;
    event_call(EVTCHNOP_RESET, &reset);
    queues = any(seed) % 2;
    if (!queues)
        return;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t at = (uint64_t)raced.fifo_control[i];
        struct xen_evtchn_init_control control = { .control_gfn = at >> 12, .vcpu = i };
        control.offset = (uint32_t)(at & 0xfff);
        event_call(EVTCHNOP_INIT_CONTROL, &control);
    }
    event_call(EVTCHNOP_EXPAND_ARRAY, &array);
}

static void register_areas(void)
{
    uint64_t runstate = (uint64_t)raced.areas, time = runstate + 64;
    struct xen_set_periodic_timer timer = { .period_ns = PERIOD_NS };

    call(XEN_HYPERCALL_VCPU_OP, VCPUOP_REGISTER_RUNSTATE_MEMORY_AREA, 0, (uint64_t)&runstate);
    call(XEN_HYPERCALL_VCPU_OP, VCPUOP_REGISTER_TIME_MEMORY_AREA, 0, (uint64_t)&time);
    call(XEN_HYPERCALL_VCPU_OP, VCPUOP_SET_PERIODIC_TIMER, 0, (uint64_t)&timer);
    call(XEN_HYPERCALL_VM_ASSIST, XEN_VMASST_ENABLE, XEN_VMASST_RUNSTATE_UPDATE_FLAG, 0);
}

static void renew(uint64_t *seed)
{
    struct xen_hvm_param callback = { .domid = XEN_DOMID_SELF,
                                      .index = HVM_PARAM_CALLBACK_IRQ,
                                      .value = (uint64_t)HVM_CALLBACK_TYPE_VECTOR << 56 | UPCALL };

    call(XEN_HYPERCALL_HVM_OP, HVMOP_SET_PARAM, (uint64_t)&callback, 0);
    if (any(seed) % 8 == 0)
        change_abi(seed);
    bind_port();
    register_areas();
}

/* ---- Deeds ---- */

/* Not masked, and not pending already: then it is an event. */
static void listen_to(uint32_t port)
{
    uint64_t bit = 1ul << port % 64;

    __atomic_fetch_and(&raced.shared->evtchn_pending[port / 64], ~bit, __ATOMIC_SEQ_CST);
    __atomic_fetch_and(&raced.shared->evtchn_mask[port / 64], ~bit, __ATOMIC_SEQ_CST);
    __atomic_store_n(&raced.info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&raced.fifo_words[port], 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&raced.fifo_control[0]->ready, 0, __ATOMIC_SEQ_CST);
}

/* Several, one after the other; each interrupts if the other vCPU does not take it away. */
static void events(uint64_t *seed)
{
    struct xen_evtchn_send send = { .port = any(seed) % 8 ? raced.port : any(seed) % 24 };

    for (unsigned i = 0; i < 8; i++) {
        listen_to(send.port % FIFO_WORDS);
        event_call(EVTCHNOP_SEND, &send);
        irq_let_in();
    }
}

static bool is_left_out(uint64_t nr, uint64_t cmd)
{
    if (nr == XEN_HYPERCALL_SCHED_OP)
        return cmd != XEN_SCHED_YIELD && cmd != XEN_SCHED_SHUTDOWN_CODE;
    if (nr == XEN_HYPERCALL_VCPU_OP)
        return cmd == VCPUOP_DOWN || cmd == VCPUOP_SEND_NMI;
    if (nr == XEN_HYPERCALL_HVM_OP) /* the vector may be one of an exception's */
        return cmd == HVMOP_SET_EVTCHN_UPCALL_VECTOR;
    return nr == XEN_HYPERCALL_MULTICALL || nr == XEN_HYPERCALL_IRET ||
           (nr == XEN_HYPERCALL_CONSOLE_IO && cmd != XEN_CONSOLE_READ);
}

static void any_call(uint64_t *seed)
{
    static const uint8_t often[] = { XEN_HYPERCALL_MEMORY_OP,        XEN_HYPERCALL_GRANT_TABLE_OP,
                                     XEN_HYPERCALL_EVENT_CHANNEL_OP, XEN_HYPERCALL_VCPU_OP,
                                     XEN_HYPERCALL_HVM_OP,           XEN_HYPERCALL_XEN_VERSION,
                                     XEN_HYPERCALL_SCHED_OP,         XEN_HYPERCALL_CONSOLE_IO };
    uint64_t nr = often[any(seed) % sizeof(often)];
    uint64_t cmd = any(seed) % 16 ? any(seed) % 18 : 18 + any(seed) % 11;

    if (is_left_out(nr, cmd))
        return;
    if (nr == XEN_HYPERCALL_CONSOLE_IO)
        call(nr, cmd, any(seed) % 64, any_pointer(seed));
    else if (nr == XEN_HYPERCALL_VCPU_OP)
        call(nr, cmd, any(seed) % 2, any_pointer(seed));
    else
        call(nr, cmd, any_pointer(seed), any(seed) % 4);
}

static void several_calls(uint64_t *seed)
{
    call(XEN_HYPERCALL_MULTICALL, MULTICALLS, 1 + any(seed) % 8, 0);
}

/* Until an event, the moment that is given, or the other vCPU's next interrupt. */
static void poll(uint64_t *seed)
{
    volatile struct xen_sched_poll *arg = (void *)ARGUMENTS;

    bool all = any(seed) % 4 == 0; /* the longest list: one port that is valid, again and again */
    volatile uint32_t *ports = (void *)(ARGUMENTS + 32);

    for (unsigned i = 0; all && i < XEN_SCHED_POLL_MOST; i++)
        ports[i] = 1;
    arg->nr_ports = all ? XEN_SCHED_POLL_MOST : 1 + any(seed) % 3;
    arg->ports = (uint64_t)ports;
    irq_on();
    call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_POLL, ARGUMENTS, 0);
    irq_off();
}

static void own_grants(uint64_t *seed)
{
    static uint64_t handles[MAPS];
    unsigned i = any(seed) % MAPS;
    uint64_t at = GUEST_GRANT_MAPS + i * 4096ul;
    uint16_t self = any(seed) % 2 ? XEN_DOMID_SELF : 1;
    int64_t handle;

    raced.turn++;
    switch (any(seed) % 3) {
    case 0:
        handle = grant_map(self, any(seed) % 24, at);
        if (handle >= 0)
            handles[i] = (uint64_t)handle;
        break;
    case 1:
        grant_unmap(handles[i], at);
        break;
    case 2:
        grant_copy_from(self, any(seed) % 24, (void *)(SPARE + any(seed) % 4096), 64);
        break;
    }
    raced.turn++;
    acted.calls++;
}

/* ---- Instructions that Caisson carries out ---- */

static void run_code(void *arg)
{
    (void)arg;
    asm volatile("call *%0"
                 :
                 : "r"(RACED_CODE), "D"(HOLE)
                 : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r14", "cc",
                   "memory");
}

struct copy {
    uint64_t from, to, count;
};

/* Not INS and OUTS: Bochs touches memory before it sees that the port is intercepted, and they are
 * none of the instructions that Caisson carries out on device memory. */
static void run_copy(void *arg)
{
    struct copy c = *(const struct copy *)arg;

    asm volatile("rep movsb" : "+S"(c.from), "+D"(c.to), "+c"(c.count) : : "memory");
}

static void emulated(uint64_t *seed)
{
    uint64_t data = RACED_DATA + any(seed) % (DATA_PAGES * 4096);
    bool from_data = any(seed) % 2, code = any(seed) % 2;
    struct copy c = { .from = from_data ? data : HOLE,
                      .to = from_data ? HOLE : data,
                      .count = any(seed) % 24 };

    asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3"
                 :
                 :
                 : "rax", "memory"); /* what it knew of old */
    raced.turn++;
    acted.faults += trap_try(code ? run_code : run_copy, &c) >= 0;
    raced.turn++;
    acted.instructions++;
}

const char *const deed_name[DEEDS] = { "events", "calls", "multicalls", "polls", "grants", "code" };

void act(uint64_t *seed)
{
    static void (*const deeds[DEEDS])(uint64_t *) = { events, any_call,   several_calls,
                                                      poll,   own_grants, emulated };
    static const uint8_t often[] = { 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 4, 4, 5, 5 };
    unsigned deed = often[any(seed) % sizeof(often)];

    if (any(seed) % 64 == 0)
        renew(seed);
    deeds[deed](seed);
    acted.deeds[deed]++;
    acted.with_queues += queues;
}

bool act_prepare(void)
{
    struct xen_register_vcpu_info info = { .mfn = (uint64_t)raced.info >> 12,
                                           .offset = (uint32_t)((uint64_t)raced.info & 0xfff) };
    uint64_t seed = 0;

    for (unsigned vector = 32; vector < 256; vector++)
        trap_set((uint8_t)vector, on_interrupt);
    lapic_enable_x2apic();
    lapic_enable();
    if (hypercall(XEN_HYPERCALL_VCPU_OP, VCPUOP_REGISTER_VCPU_INFO, 0, (uint64_t)&info))
        return false;
    renew(&seed);
    return raced.port;
}
