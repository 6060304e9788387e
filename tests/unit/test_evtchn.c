/* clang-format off */
/* links: hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c xen/pair.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_lent.c virt/slat.c tests/fakes/pair.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * event_channel_op: each operation right and wrong, both ABIs, and two domains that come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hypercall/hypercall.h"
#include "xen/evtchn.h"
#include "mm/frame.h"
#include "tests/fakes/pair.h"

#define A 0
#define B 1
#define C 2

static int64_t op(unsigned i, unsigned cmd, void *arg)
{
    return pair_call(i, hypercall_event_channel_op, cmd, arg, 0);
}

static int64_t alloc(unsigned i, uint16_t remote)
{
    struct xen_evtchn_alloc_unbound arg = { .dom = XEN_DOMID_SELF, .remote_dom = remote };
    int64_t err = op(i, EVTCHNOP_ALLOC_UNBOUND, &arg);

    return err ? err : arg.port;
}

static int64_t bind(unsigned i, uint16_t remote, uint32_t port)
{
    struct xen_evtchn_bind_interdomain arg = { .remote_dom = remote, .remote_port = port };
    int64_t err = op(i, EVTCHNOP_BIND_INTERDOMAIN, &arg);

    return err ? err : arg.local_port;
}

static int64_t bind_virq(unsigned i, uint32_t virq, uint32_t vcpu)
{
    struct xen_evtchn_bind_virq arg = { .virq = virq, .vcpu = vcpu };
    int64_t err = op(i, EVTCHNOP_BIND_VIRQ, &arg);

    return err ? err : arg.port;
}

static int64_t bind_ipi(unsigned i, uint32_t vcpu)
{
    struct xen_evtchn_bind_ipi arg = { .vcpu = vcpu };
    int64_t err = op(i, EVTCHNOP_BIND_IPI, &arg);

    return err ? err : arg.port;
}

static int64_t on_port(unsigned i, unsigned cmd, uint32_t port)
{
    struct xen_evtchn_close arg = { .port = port };

    return op(i, cmd, &arg);
}

static struct xen_evtchn_status status_of(unsigned i, uint32_t port)
{
    struct xen_evtchn_status arg = { .dom = XEN_DOMID_SELF, .port = port };

    assert_int_equal(op(i, EVTCHNOP_STATUS, &arg), 0);
    return arg;
}

static bool is_set(const uint64_t *bits, uint64_t port)
{
    return bits[port / 64] >> port % 64 & 1;
}

static bool is_pending(unsigned i, uint64_t port)
{
    return is_set(pair[i].shared.evtchn_pending, port);
}

/* A's port and B's port of one connection, nothing pending. */
static void connect(uint32_t *a, uint32_t *b)
{
    int64_t port = alloc(B, 1);

    assert_true(port > 0);
    *b = (uint32_t)port;
    port = bind(A, 2, *b);
    assert_true(port > 0);
    *a = (uint32_t)port;
    assert_true(is_pending(A, *a)); /* Xen's way: a send before the binding is not lost */
    memset(pair[A].shared.evtchn_pending, 0, sizeof(pair[A].shared.evtchn_pending));
    pair[A].info[0].evtchn_pending_sel = 0;
    pair[A].upcalls[0] = pair[A].polls = 0;
}

/* ---- Operations ---- */

static void test_numbers_and_pointers(void **state)
{
    struct xen_evtchn_alloc_unbound arg = { .dom = XEN_DOMID_SELF, .remote_dom = 2 };

    (void)state;
    assert_int_equal(op(A, EVTCHNOP_BIND_PIRQ, &arg), -ENOSYS);
    assert_int_equal(op(A, 14, &arg), -ENOSYS);
    assert_int_equal(op(A, UINT32_MAX, &arg), -ENOSYS);
    for (unsigned cmd = 0; cmd < 14; cmd++)
        if (cmd != EVTCHNOP_BIND_PIRQ)
            assert_int_equal(op(A, cmd, NULL), -EFAULT);
    pair_unwritable = (uintptr_t)&arg + sizeof(arg) - 1;
    assert_int_equal(op(A, EVTCHNOP_ALLOC_UNBOUND, &arg), -EFAULT);
    assert_int_equal(evtchn_port(&pair[A].d.xen, 1)->state,
                     EVTCHN_FREE); /* and nothing was taken */
}

static void test_alloc_unbound(void **state)
{
    struct xen_evtchn_alloc_unbound arg = { .dom = 2, .remote_dom = 2 };

    (void)state;
    assert_int_equal(op(A, EVTCHNOP_ALLOC_UNBOUND, &arg), -EPERM); /* another's */
    arg.dom = 99;
    assert_int_equal(op(A, EVTCHNOP_ALLOC_UNBOUND, &arg), -ESRCH);
    arg.dom = 1;
    assert_int_equal(op(A, EVTCHNOP_ALLOC_UNBOUND, &arg), 0); /* its own id is itself */
    assert_int_equal(arg.port, 1);
    assert_int_equal(status_of(A, 1).status, EVTCHNSTAT_UNBOUND);
    assert_int_equal(status_of(A, 1).u.unbound.dom, 2);
    assert_int_equal(alloc(A, XEN_DOMID_SELF), 2);
    assert_int_equal(status_of(A, 2).u.unbound.dom, 1);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, 1), 0); /* nobody hears it */
}

static void test_bind_interdomain(void **state)
{
    uint32_t a, b;

    (void)state;
    assert_int_equal(bind(A, 99, 1), -ESRCH);
    assert_int_equal(bind(A, 2, 1), -EINVAL);    /* a port that is not there yet */
    assert_int_equal(bind(A, 2, 0), -EINVAL);    /* never */
    assert_int_equal(bind(A, 2, 5000), -EINVAL); /* beyond all */
    assert_int_equal(alloc(B, 3), 1);
    assert_int_equal(bind(A, 2, 1), -EINVAL); /* it waits for C */
    assert_int_equal(bind(C, 2, 1), 1);
    assert_int_equal(bind(C, 2, 1), -EINVAL); /* taken */
    connect(&a, &b);
    assert_int_equal(status_of(A, a).u.interdomain.dom, 2);
    assert_int_equal(status_of(A, a).u.interdomain.port, b);
    assert_int_equal(status_of(B, b).u.interdomain.dom, 1);
    assert_int_equal(status_of(B, b).u.interdomain.port, a);
}

static void test_send_both_ways(void **state)
{
    uint32_t a, b;

    (void)state;
    connect(&a, &b);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a), 0);
    assert_true(is_pending(B, b));
    assert_true(is_set(&pair[B].info[0].evtchn_pending_sel, b / 64));
    assert_int_equal(pair[B].upcalls[0], 1);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a), 0);
    assert_int_equal(pair[B].upcalls[0], 1); /* pending is pending */
    assert_int_equal(on_port(B, EVTCHNOP_SEND, b), 0);
    assert_true(is_pending(A, a));
    assert_int_equal(pair[A].upcalls[0], 1);
}

/* The way that 64-bit callers take. */
static int64_t send_quickly(struct vcpu *v, uint64_t *args)
{
    return hypercall_event_send(v, args[1]);
}

static void test_send_quickly(void **state)
{
    struct xen_evtchn_send arg;
    uint32_t b;

    (void)state;
    connect(&arg.port, &b);
    assert_int_equal(pair_call(A, send_quickly, EVTCHNOP_SEND, NULL, 0), -EFAULT);
    assert_false(is_pending(B, b));
    assert_int_equal(pair_call(A, send_quickly, EVTCHNOP_SEND, &arg, 0), 0);
    assert_true(is_pending(B, b));
    arg.port = EVTCHN_PORTS_MOST;
    assert_int_equal(pair_call(A, send_quickly, EVTCHNOP_SEND, &arg, 0), -EINVAL);
}

static void test_mask(void **state)
{
    uint32_t a, b;

    (void)state;
    connect(&a, &b);
    pair[B].shared.evtchn_mask[0] = ~0ul;
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a), 0);
    assert_true(is_pending(B, b));
    assert_int_equal(pair[B].upcalls[0], 0);
    assert_int_equal(pair[B].polls, 1); /* a poll hears it all the same */
    assert_int_equal(on_port(B, EVTCHNOP_UNMASK, b), 0);
    assert_int_equal(pair[B].upcalls[0], 1);
    assert_false(is_set(pair[B].shared.evtchn_mask, b));
    assert_int_equal(on_port(B, EVTCHNOP_UNMASK, 4095), -EINVAL);
    assert_int_equal(on_port(B, EVTCHNOP_UNMASK, 4096), -EINVAL);
}

static void test_virq(void **state)
{
    (void)state;
    assert_int_equal(bind_virq(A, XEN_VIRQ_COUNT, 0), -EINVAL);
    assert_int_equal(bind_virq(A, UINT32_MAX, 0), -EINVAL);
    assert_int_equal(bind_virq(A, XEN_VIRQ_TIMER, PAIR_VCPUS), -ENOENT);
    assert_int_equal(bind_virq(A, XEN_VIRQ_DOM_EXC, 0), -EBUSY);
    assert_int_equal(bind_virq(A, XEN_VIRQ_ARGO, 1), -EINVAL);
    int64_t port = bind_virq(A, XEN_VIRQ_TIMER, 2);
    assert_true(port > 0);
    assert_int_equal(bind_virq(A, XEN_VIRQ_TIMER, 2), -EEXIST);
    spin_lock(&pair[A].d.lock);
    evtchn_raise_virq(&pair[A].v[1].xen, XEN_VIRQ_TIMER); /* bound for vCPU 2 only */
    assert_false(is_pending(A, (uint64_t)port));
    evtchn_raise_virq(&pair[A].v[2].xen, XEN_VIRQ_TIMER);
    assert_true(is_pending(A, (uint64_t)port));
    spin_unlock(&pair[A].d.lock);
    assert_int_equal(pair[A].upcalls[2], 1);
    assert_int_equal(status_of(A, (uint32_t)port).u.virq, XEN_VIRQ_TIMER);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, (uint32_t)port), -EINVAL);
    struct xen_evtchn_bind_vcpu move = { .port = (uint32_t)port, .vcpu = 1 };
    assert_int_equal(op(A, EVTCHNOP_BIND_VCPU, &move), -EINVAL);
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, (uint32_t)port), 0);
    assert_false(is_pending(A, (uint64_t)port));
    assert_int_equal(bind_virq(A, XEN_VIRQ_TIMER, 2), port);
}

/* Those of the whole machine are the control domain's. */
static void test_virq_of_control(void **state)
{
    static const uint32_t virqs[] = { XEN_VIRQ_CONSOLE,  XEN_VIRQ_DOM_EXC,    XEN_VIRQ_TBUF,
                                      XEN_VIRQ_CON_RING, XEN_VIRQ_PCPU_STATE, XEN_VIRQ_MEM_EVENT,
                                      XEN_VIRQ_ENOMEM,   XEN_VIRQ_MCA };

    (void)state;
    pair[B].d.xen.control = true;
    for (unsigned i = 0; i < sizeof(virqs) / sizeof(virqs[0]); i++) {
        assert_int_equal(bind_virq(A, virqs[i], 0), -EBUSY);
        assert_int_equal(bind_virq(B, virqs[i], 1), -EINVAL);
        assert_true(bind_virq(B, virqs[i], 0) > 0);
        assert_int_equal(bind_virq(B, virqs[i], 0), -EEXIST);
    }
    assert_int_equal(bind_virq(B, 5, 0), -EBUSY); /* Xen has none of this number */
}

static void test_ipi_and_bind_vcpu(void **state)
{
    uint32_t a, b;

    (void)state;
    assert_int_equal(bind_ipi(A, PAIR_VCPUS), -ENOENT);
    int64_t port = bind_ipi(A, 3);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, (uint32_t)port), 0);
    assert_int_equal(pair[A].upcalls[3], 1);
    struct xen_evtchn_bind_vcpu move = { .port = (uint32_t)port, .vcpu = 1 };
    assert_int_equal(op(A, EVTCHNOP_BIND_VCPU, &move), -EINVAL);
    connect(&a, &b);
    move = (struct xen_evtchn_bind_vcpu){ .port = b, .vcpu = PAIR_VCPUS };
    assert_int_equal(op(B, EVTCHNOP_BIND_VCPU, &move), -ENOENT);
    move.vcpu = 2;
    assert_int_equal(op(B, EVTCHNOP_BIND_VCPU, &move), 0);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a), 0);
    assert_int_equal(pair[B].upcalls[2], 1);
    move.port = 77;
    assert_int_equal(op(B, EVTCHNOP_BIND_VCPU, &move), -EINVAL);
    move.port = 7777;
    assert_int_equal(op(B, EVTCHNOP_BIND_VCPU, &move), -EINVAL);
}

static void test_close(void **state)
{
    uint32_t a, b;

    (void)state;
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, 0), -EINVAL);
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, 9), -EINVAL);
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, UINT32_MAX), -EINVAL);
    connect(&a, &b);
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, a), 0);
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, a), -EINVAL);
    assert_int_equal(status_of(A, a).status, EVTCHNSTAT_CLOSED);
    assert_int_equal(status_of(B, b).status, EVTCHNSTAT_UNBOUND); /* waits for A again */
    assert_int_equal(status_of(B, b).u.unbound.dom, 1);
    assert_int_equal(bind(C, 2, b), -EINVAL);
    assert_int_equal(bind(A, 2, b), a);
}

static void test_own_connection(void **state)
{
    (void)state;
    int64_t first = alloc(A, XEN_DOMID_SELF), second = bind(A, XEN_DOMID_SELF, (uint32_t)first);

    assert_true(second > 0 && second != first);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, (uint32_t)second), 0);
    assert_true(is_pending(A, (uint64_t)first));
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, (uint32_t)second), 0);
    assert_int_equal(status_of(A, (uint32_t)first).status, EVTCHNSTAT_UNBOUND);
}

static void test_status_of_others(void **state)
{
    struct xen_evtchn_status arg = { .dom = 2, .port = 1 };

    (void)state;
    assert_int_equal(op(A, EVTCHNOP_STATUS, &arg), -EPERM);
    arg.dom = 50;
    assert_int_equal(op(A, EVTCHNOP_STATUS, &arg), -ESRCH);
    arg = (struct xen_evtchn_status){ .dom = 1, .port = 4096 };
    assert_int_equal(op(A, EVTCHNOP_STATUS, &arg), -EINVAL);
}

static unsigned notified;
static void notify(struct xen_domain *d)
{
    assert_ptr_equal(d, &pair[A].d.xen);
    notified++;
}

static void test_port_of_caisson(void **state)
{
    (void)state;
    spin_lock(&pair[A].d.lock);
    int port = evtchn_alloc(&pair[A].d.xen, notify);
    evtchn_raise(&pair[A].d.xen, (uint32_t)port);
    spin_unlock(&pair[A].d.lock);
    assert_true(is_pending(A, (uint64_t)port));
    notified = 0;
    assert_int_equal(on_port(A, EVTCHNOP_SEND, (uint32_t)port), 0);
    assert_int_equal(notified, 1);
    assert_int_equal(status_of(A, (uint32_t)port).status, EVTCHNSTAT_INTERDOMAIN);
    assert_int_equal(status_of(A, (uint32_t)port).u.interdomain.dom, 0);
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, (uint32_t)port), -EINVAL);
    struct xen_evtchn_reset all = { .dom = XEN_DOMID_SELF };
    assert_int_equal(op(A, EVTCHNOP_RESET, &all), 0);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, (uint32_t)port), 0);
    assert_int_equal(notified, 2);
}

static void test_all_ports(void **state)
{
    (void)state;
    for (unsigned port = 1; port < EVTCHN_PORTS_MOST; port++)
        assert_int_equal(alloc(A, 2), port);
    assert_int_equal(alloc(A, 2), -ENOSPC);
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, 100), 0);
    assert_int_equal(alloc(A, 2), 100);
    struct xen_evtchn_reset all = { .dom = 2 };
    assert_int_equal(op(A, EVTCHNOP_RESET, &all), -EPERM);
    all.dom = XEN_DOMID_SELF;
    assert_int_equal(op(A, EVTCHNOP_RESET, &all), 0);
    assert_int_equal(alloc(A, 2), 1);
}

static void test_without_memory(void **state)
{
    (void)state;
    for (unsigned port = 1; port < EVTCHN_CHUNK_PORTS; port++)
        assert_int_equal(alloc(A, 2), port);
    frame_fail_nth(1);
    assert_int_equal(alloc(A, 2), -ENOMEM);
    assert_int_equal(alloc(A, 2), EVTCHN_CHUNK_PORTS);
}

/* ---- Neighbours ---- */

/* Whoever is not awaited at a port does not so much as touch the other's lock. */
static void test_stranger_leaves_lock_alone(void **state)
{
    uint32_t before;

    (void)state;
    assert_int_equal(alloc(B, 3), 1);
    before = pair_locked(B);
    for (uint32_t port = 0; port < EVTCHN_PORTS_MOST + 2; port++)
        assert_int_equal(bind(A, 2, port), -EINVAL);
    assert_int_equal(pair_locked(B), before);
    assert_int_equal(bind(C, 2, 1), 1); /* who is takes it once */
    assert_int_equal(pair_locked(B), before + 1);
}

/* Nor does one without a port of its own left, or whose ports are long to look through. */
static void test_stranger_without_ports(void **state)
{
    uint32_t before;

    (void)state;
    assert_int_equal(alloc(B, 1), 1);
    before = pair_locked(B);
    for (unsigned n = 1; n < EVTCHN_PORTS_MOST; n++)
        assert_int_equal(alloc(A, 2), n);
    assert_int_equal(bind(A, 2, 1), -ENOSPC);
    assert_int_equal(pair_rounds, 1); /* it is known where to look */
    assert_int_equal(pair_locked(B), before);
}

static unsigned rounds_of_reset(unsigned i)
{
    struct xen_evtchn_reset arg = { .dom = XEN_DOMID_SELF };

    assert_int_equal(op(i, EVTCHNOP_RESET, &arg), 0);
    return pair_rounds;
}

static void test_reset_in_pieces(void **state)
{
    (void)state;
    for (unsigned n = 1; n < EVTCHN_PORTS_MOST; n++)
        assert_int_equal(alloc(A, 2), n);
    assert_int_equal(rounds_of_reset(A), EVTCHN_PORTS_MOST / 64);
    assert_int_equal(alloc(A, 2), 1);
    assert_int_equal(rounds_of_reset(A), EVTCHN_PORTS_MOST / 64);
}

/* ---- Two domains that come and go ---- */

static void test_destroy_either_side(void **state)
{
    uint32_t a, b;

    (void)state;
    connect(&a, &b);
    pair_destroy(B);
    assert_int_equal(status_of(A, a).status, EVTCHNSTAT_UNBOUND);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a), 0);
    assert_int_equal(bind(A, 2, b), -ESRCH);
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, a), 0);
}

static uint32_t race_port;
static void peer_closes(void)
{
    spin_unlock(&pair[B].d.lock);
    assert_int_equal(on_port(A, EVTCHNOP_CLOSE, race_port), 0);
    spin_lock(&pair[B].d.lock);
}

/* The connection is cut while a send, or a close, waits for the lock. */
static void test_cut_while_waiting(void **state)
{
    uint32_t a, b;

    (void)state;
    connect(&a, &b);
    race_port = a;
    pair_meanwhile = peer_closes;
    assert_int_equal(on_port(B, EVTCHNOP_SEND, b), 0);
    assert_false(is_pending(A, a));
    assert_int_equal(bind(A, 2, b), a);
    pair_meanwhile = peer_closes;
    assert_int_equal(on_port(B, EVTCHNOP_CLOSE, b), 0);
    assert_int_equal(status_of(B, b).status, EVTCHNSTAT_CLOSED);
    assert_int_equal(status_of(A, a).status, EVTCHNSTAT_CLOSED);
}

/* While one vCPU of B's waits for A's lock, another does a piece of the same work. */
static void second_resets(void)
{
    assert_int_equal(evtchn_reset(&pair[B].d.xen), -EAGAIN);
}

static void test_two_resets(void **state)
{
    uint32_t a, b;

    (void)state;
    connect(&a, &b);
    for (unsigned n = 2; n < 200; n++)
        assert_int_equal(alloc(B, 1), n);
    pair_meanwhile = second_resets;
    (void)rounds_of_reset(B);
    assert_null(pair_meanwhile);
    for (unsigned n = 1; n < 200; n++)
        assert_int_equal(status_of(B, n).status, EVTCHNSTAT_CLOSED);
}

/* ---- FIFO ---- */

#define CONTROL_GFN 5
#define ARRAY_GFN   6

static int64_t init_control(unsigned i, uint64_t g, uint32_t offset, uint32_t vcpu)
{
    struct xen_evtchn_init_control arg = { .control_gfn = g, .offset = offset, .vcpu = vcpu };
    int64_t err = op(i, EVTCHNOP_INIT_CONTROL, &arg);

    if (!err)
        assert_int_equal(arg.link_bits, EVTCHN_FIFO_LINK_BITS);
    return err;
}

static int64_t expand(unsigned i, uint64_t g)
{
    struct xen_evtchn_expand_array arg = { .array_gfn = g };

    return op(i, EVTCHNOP_EXPAND_ARRAY, &arg);
}

static struct xen_evtchn_fifo_control_block *control(unsigned i)
{
    return (void *)(pair_ram(i, CONTROL_GFN) + 8);
}

static uint32_t *words(unsigned i)
{
    return (uint32_t *)(void *)pair_ram(i, ARRAY_GFN);
}

/* Ports that are free but linked still are passed over, a few a round. */
static void test_fifo_long_search(void **state)
{
    (void)state;
    assert_int_equal(init_control(B, CONTROL_GFN, 0, 0), 0);
    assert_int_equal(expand(B, ARRAY_GFN), 0);
    for (unsigned port = 0; port < 1000; port++)
        words(B)[port] = 1u << EVTCHN_FIFO_LINKED;
    assert_int_equal(alloc(B, 1), 1000);
    assert_int_equal(pair_rounds, 1 + 1000 / 64);
    words(B)[1] = 0;
    assert_int_equal(alloc(B, 1), 1);
    assert_int_equal(pair_rounds, 1);
}

static void test_fifo_arguments(void **state)
{
    struct xen_evtchn_set_priority priority = { .port = 1, .priority = 3 };

    (void)state;
    assert_int_equal(expand(B, ARRAY_GFN), -EOPNOTSUPP);
    assert_int_equal(op(B, EVTCHNOP_SET_PRIORITY, &priority), -ENOSYS);
    assert_int_equal(init_control(B, CONTROL_GFN, 0, PAIR_VCPUS), -ENOENT);
    assert_int_equal(init_control(B, CONTROL_GFN, 4, 0), -EINVAL);
    assert_int_equal(init_control(B, CONTROL_GFN, PAGE_SIZE - 64, 0), -EINVAL);
    assert_int_equal(init_control(B, CONTROL_GFN, UINT32_MAX & ~7u, 0), -EINVAL);
    assert_int_equal(init_control(B, PAIR_RAM, 0, 0), -EINVAL);
    assert_int_equal(init_control(B, UINT64_MAX, 0, 0), -EINVAL);
    assert_null(pair[B].d.xen.events->fifo);
    assert_int_equal(init_control(B, CONTROL_GFN, 8, 0), 0);
    assert_int_equal(init_control(B, CONTROL_GFN, 8, 0), -EINVAL); /* once */
    assert_int_equal(expand(B, PAIR_RAM), -EINVAL);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(expand(B, ARRAY_GFN + i), 0);
    assert_int_equal(expand(B, ARRAY_GFN + 4), -ENOSPC);
    priority.priority = 16;
    assert_int_equal(alloc(B, 1), 1);
    assert_int_equal(op(B, EVTCHNOP_SET_PRIORITY, &priority), -EINVAL);
    priority = (struct xen_evtchn_set_priority){ .port = 4096, .priority = 3 };
    assert_int_equal(op(B, EVTCHNOP_SET_PRIORITY, &priority), -EINVAL);
}

static void test_fifo_queue(void **state)
{
    uint32_t a[3], b[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        connect(&a[i], &b[i]);
    assert_int_equal(init_control(B, CONTROL_GFN, 8, 0), 0);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a[2]), 0); /* before there is a word for it */
    assert_int_equal(pair[B].upcalls[0], 0);
    assert_int_equal(expand(B, ARRAY_GFN), 0);
    assert_int_equal(pair_rounds, PAGE_SIZE / 4 / 64); /* however many may wait for it */
    assert_int_equal(pair[B].upcalls[0], 1);
    assert_int_equal(control(B)->head[7], b[2]);
    assert_int_equal(control(B)->ready, 1u << 7);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a[0]), 0);
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a[1]), 0);
    assert_int_equal(pair[B].upcalls[0], 1); /* linked behind: the guest comes by anyway */
    assert_int_equal(words(B)[b[2]] & EVTCHN_FIFO_LINK_MASK, b[0]);
    assert_int_equal(words(B)[b[0]] & EVTCHN_FIFO_LINK_MASK, b[1]);
    assert_int_equal(words(B)[b[1]], 1u << EVTCHN_FIFO_PENDING | 1u << EVTCHN_FIFO_LINKED);
    /* A guest that takes its queue off: the next event starts it anew. */
    memset(words(B), 0, PAGE_SIZE);
    control(B)->ready = 0;
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a[0]), 0);
    assert_int_equal(control(B)->head[7], b[0]);
    assert_int_equal(pair[B].upcalls[0], 2);
}

static void test_fifo_mask_and_priority(void **state)
{
    uint32_t a, b;

    (void)state;
    connect(&a, &b);
    assert_int_equal(init_control(B, CONTROL_GFN, 8, 0), 0);
    assert_int_equal(expand(B, ARRAY_GFN), 0);
    struct xen_evtchn_set_priority priority = { .port = b, .priority = 2 };
    assert_int_equal(op(B, EVTCHNOP_SET_PRIORITY, &priority), 0);
    words(B)[b] = 1u << EVTCHN_FIFO_MASKED;
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a), 0);
    assert_int_equal(control(B)->ready, 0);
    assert_true(evtchn_is_pending(&pair[B].d.xen, b));
    assert_int_equal(on_port(B, EVTCHNOP_UNMASK, b), 0);
    assert_int_equal(control(B)->head[2], b);
    assert_int_equal(control(B)->ready, 1u << 2);
    /* Closed while linked: not given out before the guest has taken it off. */
    assert_int_equal(on_port(B, EVTCHNOP_CLOSE, b), 0);
    assert_int_not_equal(alloc(B, 1), b);
    words(B)[b] = 0;
    assert_int_equal(alloc(B, 1), b);
}

static void test_fifo_hostile_words(void **state)
{
    uint32_t a[2], b[2];

    (void)state;
    connect(&a[0], &b[0]);
    connect(&a[1], &b[1]);
    assert_int_equal(init_control(B, CONTROL_GFN, 8, 0), 0);
    assert_int_equal(expand(B, ARRAY_GFN), 0);
    for (unsigned i = 0; i < 1000; i++) {
        words(B)[rand() % 8] = (uint32_t)rand() << 12 ^ (uint32_t)rand();
        control(B)->ready = (uint32_t)rand();
        control(B)->head[rand() % 16] = (uint32_t)rand();
        assert_int_equal(on_port(A, EVTCHNOP_SEND, a[rand() % 2]), 0);
        assert_int_equal(on_port(B, EVTCHNOP_UNMASK, b[rand() % 2]), 0);
    }
}

static void test_fifo_reset(void **state)
{
    uint32_t a, b;
    struct xen_evtchn_reset all = { .dom = XEN_DOMID_SELF };

    (void)state;
    assert_int_equal(init_control(B, CONTROL_GFN, 8, 0), 0);
    assert_int_equal(expand(B, ARRAY_GFN), 0);
    connect(&a, &b);
    assert_int_equal(op(B, EVTCHNOP_RESET, &all), 0);
    assert_int_equal(status_of(A, a).status, EVTCHNSTAT_UNBOUND);
    mfn_t m;
    assert_int_equal(p2m_populate(&pair[B].d.p2m, gfn(ARRAY_GFN), &m), 0);
    assert_int_equal(frame_pins(m), 0);
    connect(&a, &b); /* in two levels again */
    assert_int_equal(on_port(A, EVTCHNOP_SEND, a), 0);
    assert_true(is_pending(B, b));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, pair_start, pair_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_numbers_and_pointers),
        TEST(test_alloc_unbound),
        TEST(test_bind_interdomain),
        TEST(test_send_both_ways),
        TEST(test_send_quickly),
        TEST(test_mask),
        TEST(test_virq),
        TEST(test_virq_of_control),
        TEST(test_ipi_and_bind_vcpu),
        TEST(test_close),
        TEST(test_own_connection),
        TEST(test_status_of_others),
        TEST(test_port_of_caisson),
        TEST(test_all_ports),
        TEST(test_without_memory),
        TEST(test_stranger_leaves_lock_alone),
        TEST(test_stranger_without_ports),
        TEST(test_reset_in_pieces),
        TEST(test_destroy_either_side),
        TEST(test_cut_while_waiting),
        TEST(test_two_resets),
        TEST(test_fifo_arguments),
        TEST(test_fifo_long_search),
        TEST(test_fifo_queue),
        TEST(test_fifo_mask_and_priority),
        TEST(test_fifo_hostile_words),
        TEST(test_fifo_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
