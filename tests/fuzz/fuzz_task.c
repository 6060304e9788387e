/* clang-format off */
/* links: emulate/task_switch.c emulate/selector.c emulate/operand.c emulate/breakpoint.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/entry_state.c tests/fakes/bus.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * Hardware task switches: any descriptors, any TSS, page tables, events and ways, one switch after
 * the other, from what the last one has left.
 *
 * What must hold: the guest is in its new task, or its fault is told, and what it is then left with
 * is a state that the processor can be entered with.
 */
#include <string.h>
#include "arch/x86/cpu.h"
#include "emulate/task_switch.h"
#include "lib/assert.h"
#include "tests/fakes/entry_state.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/log.h"
#include "tests/fuzz/input.h"

#define GDT      0x3000ul
#define GDT_SIZE 0x80u
#define TSS      0x4f80ul /* and the next, over the end of a page */
#define TSS_SIZE 0x80u
#define TASKS    4u
#define TABLES   0x1000ul
#define SWITCHES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t flat[] = {
    0,
    0x00cf9a000000ffff,
    0x00cf92000000ffff,
    0x00cffa000000ffff,
    0x00cff2000000ffff,
    0x0000820030000027, /* an LDT that is the GDT */
    0x00cf9e000000ffff,
    0x0000000000000000,
};

/* 32-bit or PAE paging, one to one by large pages. */
static void build_paging(bool pae)
{
    uint64_t entries[512];

    for (uint64_t i = 0; i < 512; i++)
        entries[i] = pae ? i << 21 | 0x87 : (2 * i + 1) << 54 | 0x87ul << 32 | i << 23 | 0x87;
    guest_put(pae ? 0x2000 : TABLES, entries, sizeof(entries));
    if (pae)
        guest_write64(TABLES, 0x2001);
    cpu()->cr0 |= CR0_PG | CR0_WP;
    cpu()->cr4 = pae ? CR4_PAE : CR4_PSE;
    cpu()->cr3 = TABLES;
}

static void begin(struct input *in)
{
    uint8_t how = input_byte(in);

    guest_start();
    fake_log_reset();
    guest_put(GDT, flat, sizeof(flat));
    for (uint64_t i = 0; i < TASKS; i++) {
        uint64_t type = how >> (4 + i) & 1 ? 0x81 : 0x89;
        guest_write64(GDT + 0x40 + 8 * i, 0x67 | (TSS + i * TSS_SIZE) << 16 | type << 40);
    }
    cpu()->gdt_base = GDT;
    cpu()->gdt_limit = GDT_SIZE - 1;
    cpu()->seg[SEG_LDTR].ar = SEG_AR_UNUSABLE;
    cpu()->seg[SEG_TR] =
        (struct segment){ .base = TSS, .limit = 0x67, .ar = how & 1 ? 0x8b : 0x83, .selector = 64 };
    if (how & 2)
        build_paging(how & 4);
}

/* So much of a task that works. */
static void build_task(uint64_t tss)
{
    static const uint16_t selectors[] = { 0x10, 8, 0x10, 0x10, 0, 0, 0 };

    guest_write64(tss + 28, TABLES | 0x8000ul << 32);
    guest_write64(tss + 36, RFLAGS_FIXED);
    guest_write64(tss + 56, 0x6000);
    for (unsigned i = 0; i < 7; i++)
        guest_put(tss + 72 + 4 * i, &selectors[i], 2);
}

/* In the GDT, in a TSS, in the page tables. */
static void take_patches(struct input *in)
{
    static const struct {
        uint64_t at;
        unsigned size;
    } places[] = { { GDT, GDT_SIZE }, { TSS, TASKS * TSS_SIZE }, { TABLES, 0x2000 } };
    uint8_t how = input_byte(in);

    if (how & 0x80)
        build_task(TSS + how / 4 % TASKS * TSS_SIZE);
    for (unsigned n = how % 4; n; n--) {
        unsigned place = input_byte(in) % 3;
        uint64_t value = input_number(in, 4);
        guest_put(places[place].at + input_number(in, 2) % (places[place].size - 4), &value, 4);
    }
}

static struct virt_task take_task(struct input *in)
{
    static const uint8_t types[] = { EVENT_EXTINT, EVENT_NMI, EVENT_EXCEPTION, EVENT_SOFT_INT };
    uint8_t how = input_byte(in);
    struct virt_task t = { .by = how % 4,
                           .selector = (uint16_t)input_byte(in),
                           .length = how / 64 };

    if (how & 0x20)
        t.selector = 0x40 + 8 * (t.selector % TASKS);
    if (t.by == TASK_GATE)
        t.event = (struct event){ .valid = true,
                                  .has_error = how & 4,
                                  .type = types[how / 8 % 4],
                                  .error = (uint32_t)input_number(in, 4) };
    return t;
}

static void one(struct input *in)
{
    take_patches(in);
    const struct virt_task t = take_task(in);
    unsigned injected = cpu()->injected, switches = cpu()->task_switches, taken = cpu()->taken;
    int err = task_switch(&guest_vcpu.emulator, &t);

    ASSERT(err == 0 || err == -EFAULT || err == -EACCES);
    ASSERT(err || (cpu()->task_switches == switches + 1 && cpu()->taken == taken + 1));
    ASSERT(cpu()->injected == injected);
    entry_state_check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    begin(&in);
    for (unsigned n = 0; n < SWITCHES && !input_ended(&in); n++)
        one(&in);
    guest_stop();
    ASSERT(fake_heap_in_use() == 0);
    return 0;
}
