/* clang-format off */
/* links: hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_lent.c virt/slat.c tests/fakes/pair.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * Calls between three domains: events and grants, memory that is given back, entries that change,
 * calls of others while a lock is let go, domains that end in the middle.
 *
 * The input is a program. What must hold: no assertion, nothing that the sanitizers see, both ends
 * of a connection agree, and all memory is back at the end. tests/unit/test_storm.c does the same
 * by chance alone.
 */
#include <string.h>
#include "xen/evtchn.h"
#include "hypercall/hypercall.h"
#include "grant/grant.h"
#include "lib/assert.h"
#include "mm/frame.h"
#include "tests/fakes/log.h"
#include "tests/fakes/pair.h"
#include "tests/fuzz/input.h"

#define STEPS_MOST 256
#define WORDS      32 /* of an argument */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input *input;

/* Words of an argument: as many as the input says, the rest 0. */
static void take_words(uint32_t *words)
{
    uint8_t n = input_byte(input) % (WORDS + 1);

    memset(words, 0, WORDS * sizeof(*words));
    for (unsigned i = 0; i < n; i++) {
        uint8_t kind = input_byte(input);
        words[i] = kind < 224 ? kind % 64 : (uint32_t)input_number(input, 4);
    }
}

static uint16_t take_domain(void)
{
    uint8_t kind = input_byte(input);

    return kind < 192 ? 1 + kind % PAIR_DOMAINS : kind < 224 ? XEN_DOMID_SELF : kind;
}

static uint64_t take_place(void)
{
    return (0x100ul + input_byte(input) % 64) << PAGE_SHIFT;
}

static void step_event(unsigned i)
{
    uint32_t words[WORDS], op = input_byte(input) % 16;

    take_words(words);
    if (op == EVTCHNOP_ALLOC_UNBOUND)
        words[0] = XEN_DOMID_SELF | (uint32_t)take_domain() << 16;
    if (op == EVTCHNOP_BIND_INTERDOMAIN || op == EVTCHNOP_STATUS)
        words[0] = take_domain();
    pair_call(i, hypercall_event_channel_op, op, words, 0);
}

static void step_map(unsigned i, uint8_t op)
{
    struct xen_gnttab_map_grant_ref map = { .host_addr = take_place(), .dom = take_domain() };
    struct xen_gnttab_unmap_grant_ref unmap = { .host_addr = map.host_addr };

    map.flags = 2 | (op & 2) * 2;
    map.ref = input_byte(input) % 16;
    unmap.handle = input_byte(input) % 16;
    if (op & 1)
        pair_call(i, hypercall_grant_table_op, GNTTABOP_MAP_GRANT_REF, &map, 1);
    else
        pair_call(i, hypercall_grant_table_op, GNTTABOP_UNMAP_GRANT_REF, &unmap, 1);
}

static void step_copy(unsigned i, uint8_t kind)
{
    struct xen_gnttab_copy copy = { 0 };

    copy.source.domid = take_domain();
    copy.source.ref_or_gmfn = input_byte(input) % 80;
    copy.source.offset = (uint16_t)input_number(input, 2);
    copy.dest.domid = take_domain();
    copy.dest.ref_or_gmfn = input_byte(input) % 80;
    copy.dest.offset = (uint16_t)input_number(input, 2);
    copy.len = (uint16_t)input_number(input, 2);
    copy.flags = kind % 4;
    pair_call(i, hypercall_grant_table_op, GNTTABOP_COPY, &copy, 1);
}

/* Any of them, with any words; but not the one whose argument has a pointer of the guest's in it.
 */
static void step_grant(unsigned i)
{
    uint32_t words[WORDS], op = input_byte(input) % 16;

    take_words(words);
    if (op != GNTTABOP_SETUP_TABLE)
        pair_call(i, hypercall_grant_table_op, op, words, input_byte(input) % 2);
}

/* The guest's own hand: its grant entries and pages, and pages given back. */
static void step_write(unsigned i)
{
    struct grant_domain *g = pair[i].d.xen.grants;
    uint8_t what = input_byte(input), at = input_byte(input);
    mfn_t m;

    if (what < 32) {
        (void)!grant_table_frame(&pair[i].d.xen, at % 3, &m);
    } else if (what < 160 && g && g->frames) {
        g->entries[0][at % 16] = (struct xen_grant_entry){
            .flags = what < 144 ? 1 | what % 2 * 4 : (uint16_t)input_number(input, 2),
            .domid = take_domain(),
            .frame = input_byte(input) % (PAIR_RAM + 2),
        };
    } else if (what < 192) {
        uint8_t *page = pair_ram(i, at % 12);
        uint64_t word = input_number(input, 4);
        if (page)
            memcpy(page + what % 32 * 128, &word, sizeof(word));
    } else if (what < 224) {
        (void)!p2m_remove(&pair[i].d.p2m, gfn(at % 128 < 64 ? 0x100 + at % 64 : at % 64));
    } else {
        (void)!p2m_fill(&pair[i].d.p2m, gfn(at % 64));
        p2m_reap(&pair[i].d.p2m, 0);
    }
}

static void check_ends_agree(void)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++) {
        for (uint32_t port = 0; !pair[i].gone && port < 256; port++) {
            const struct evtchn *ch = evtchn_port(&pair[i].d.xen, port);
            if (!ch || ch->state != EVTCHN_INTERDOMAIN)
                continue;
            const struct evtchn *far = evtchn_port(ch->peer, ch->peer_port);
            ASSERT(far && far->state == EVTCHN_INTERDOMAIN);
            ASSERT(far->peer == &pair[i].d.xen && far->peer_port == port);
        }
    }
}

/* What another CPU does while a lock is let go. */
static void meanwhile(void)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++)
        if (!pair[i].gone && !spin_is_locked(&pair[i].d.lock))
            step_write(i);
}

static void step(void)
{
    uint8_t kind = input_byte(input);
    unsigned i = kind % PAIR_DOMAINS;

    if (pair[i].gone)
        return;
    pair_vcpu = kind / PAIR_DOMAINS % PAIR_VCPUS;
    pair_is_32bit = kind >= 240;
    pair_meanwhile = kind & 0x40 ? meanwhile : NULL;
    switch (kind / 16) {
    case 0:
        frame_fail_nth(1 + input_byte(input) % 4);
        break;
    case 1:
    case 2:
        step_grant(i);
        break;
    case 3:
    case 4:
        step_copy(i, kind);
        break;
    case 5:
    case 6:
    case 7:
        step_map(i, input_byte(input));
        break;
    case 8:
    case 9:
    case 10:
        step_write(i);
        break;
    default:
        step_event(i);
    }
    pair_meanwhile = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    uint8_t end_at = input_byte(&in);

    input = &in;
    fake_log_reset();
    pair_start(NULL);
    for (unsigned n = 0; n < STEPS_MOST && !input_ended(&in); n++) {
        step();
        if (n == end_at) {
            frame_fail_nth(0);
            pair_destroy(end_at % PAIR_DOMAINS);
        }
    }
    frame_fail_nth(0);
    check_ends_agree();
    pair_stop(NULL);
    return 0;
}
