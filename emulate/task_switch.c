/*
 * Hardware task switches: the old task's registers go to its TSS, the new one's come from its own.
 *
 * The processor has looked at the gate, and at the rights of who goes through it. The new TSS's
 * descriptor is looked at here once more, as it may not be what it was. What fails up to leave()
 * does so in the old task. Behind it the switch has been made: what fails then is a fault of the
 * new task, before its first instruction. Sources: SDM volume 3, "Task Management", "Treatment of
 * Task Switches", "Interrupt 10--Invalid TSS Exception (#TS)"; APM volume 2, "Hardware
 * Multitasking".
 */
#include "emulate/task_switch.h"
#include "arch/x86/cpu.h"
#include "emulate/emulator.h"
#include "emulate/operand.h"
#include "emulate/selector.h"
#include "guestmem/gva.h"
#include "lib/string.h"

/* In a TSS, from `first` on, there are fields of `width` bytes: instruction pointer, flags, general
 * registers, segment registers, LDT. */
struct layout {
    uint8_t width, first, segments, bytes;
};
static const struct layout tss16 = { .width = 2, .first = 14, .segments = 4, .bytes = 44 };
static const struct layout tss32 = { .width = 4, .first = 32, .segments = 6, .bytes = 104 };
enum field { FIELD_IP, FIELD_FLAGS, FIELD_GPRS, FIELD_SEGMENTS = FIELD_GPRS + 8 };

#define TSS_LINK   0u
#define TSS_CR3    28u  /* the 32-bit one has it; */
#define TSS_TRAP   100u /* and this */
#define TSS_BYTES  104u
#define LINK_BYTES 2u
#define SELECTOR   2u /* bytes of one */

#define AR_VM86   0xF3u /* data, read/write, accessed, DPL 3 */
#define ERROR_EXT 1u    /* the event that was to be delivered is none that the program has made */

struct switching {
    struct emulator *e;
    const struct virt_task *task;
    struct descriptor old, new;
    const struct layout *from, *to;
    uint8_t tss[TSS_BYTES]; /* the new one, read once */
};

static const struct layout *layout_of(const struct segment *tss)
{
    return tss->ar & (SELECTOR_TSS32 ^ SELECTOR_TSS16) ? &tss32 : &tss16;
}

static gva_t field_at(const struct segment *tss, const struct layout *l, unsigned field)
{
    return gva(tss->base + l->first + field * l->width);
}

static uint32_t field(const struct switching *s, unsigned field)
{
    uint32_t value = 0;

    memcpy(&value, s->tss + s->to->first + field * s->to->width, s->to->width);
    return value;
}

static uint16_t selector_field(const struct switching *s, enum seg which)
{
    if (which == SEG_LDTR)
        return (uint16_t)field(s, FIELD_SEGMENTS + s->to->segments);
    return which < s->to->segments ? (uint16_t)field(s, FIELD_SEGMENTS + which) : 0;
}

/* The old task is the new one's caller. */
static bool nests(const struct switching *s)
{
    return s->task->by == TASK_CALL || s->task->by == TASK_GATE;
}

/* ---- In the old task ---- */

static int check_new(struct switching *s)
{
    const struct segment *new = &s->new.segment;
    bool returns = s->task->by == TASK_IRET;
    uint8_t vector = returns ? VECTOR_TS : VECTOR_GP;
    unsigned type = new->ar &(SEG_AR_S | SEG_AR_TYPE);

    if ((type & ~SELECTOR_BUSY) != SELECTOR_TSS16 && (type & ~SELECTOR_BUSY) != SELECTOR_TSS32)
        return selector_refuse(s->e, vector, new->selector);
    if (!(type & SELECTOR_BUSY) == returns)
        return selector_refuse(s->e, vector, new->selector);
    if (!(new->ar &SEG_AR_P))
        return selector_refuse(s->e, VECTOR_NP, new->selector);
    s->to = layout_of(new);
    if (new->limit < s->to->bytes - 1u)
        return selector_refuse(s->e, VECTOR_TS, new->selector);
    return 0;
}

static int find_new(struct switching *s)
{
    uint16_t selector = s->task->selector;
    int err = -EACCES;

    if (selector & SELECTOR_TI)
        err = selector_refuse(s->e, VECTOR_GP, selector);
    else
        err = selector_find(s->e, selector, &s->new);
    if (err == -EACCES && s->task->by == TASK_IRET)
        s->e->vector = VECTOR_TS;
    return err ? err : check_new(s);
}

/* The descriptor is needed where it is to be made available; the TSS itself TR knows. */
static int find_old(struct switching *s)
{
    struct segment tr;
    int err = 0;

    virt_segment(s->e->virt, SEG_TR, &tr);
    if (!nests(s))
        err = selector_find(s->e, tr.selector, &s->old);
    if (err == -EACCES)
        s->e->vector = VECTOR_TS;
    if (err)
        return err;
    s->old.segment.base = tr.base;
    s->old.segment.selector = tr.selector;
    s->from = layout_of(&tr);
    if (tr.limit < s->from->first + (FIELD_SEGMENTS + s->from->segments) * s->from->width - 1u)
        return selector_refuse(s->e, VECTOR_TS, tr.selector);
    return 0;
}

/* So many bytes, which may lie in two pages. */
static int probe(struct switching *s, gva_t at, unsigned bytes, uint32_t access)
{
    gpa_t where;
    int err = gva_translate(s->e->space, at, access | GVA_IMPLICIT, &where);

    if (err)
        return err;
    return gva_translate(s->e->space, gva(at.v + bytes - 1), access | GVA_IMPLICIT, &where);
}

/* All that is going to be written and read is there: page faults come now. */
static int probe_all(struct switching *s)
{
    const struct layout *l = s->from;
    unsigned saved = (FIELD_SEGMENTS + l->segments) * l->width;
    gva_t new = gva(s->new.segment.base);
    int err = probe(s, field_at(&s->old.segment, l, 0), saved, GVA_WRITE);

    if (!err)
        err = probe(s, new, s->to->bytes, 0);
    if (!err && nests(s))
        err = probe(s, gva(new.v + TSS_LINK), LINK_BYTES, GVA_WRITE);
    if (!err && !nests(s))
        err = selector_probe(s->e, &s->old);
    if (!err && s->task->by != TASK_IRET)
        err = selector_probe(s->e, &s->new);
    return err;
}

/* RF is in the flags already where an event is delivered that is to be saved with it; an
 * instruction ends it. */
static uint32_t flags_to_save(const struct switching *s)
{
    uint64_t flags = virt_rflags(s->e->virt);

    if (s->task->by != TASK_GATE)
        flags &= ~RFLAGS_RF;
    if (s->task->by == TASK_IRET)
        flags &= ~RFLAGS_NT;
    return (uint32_t)flags;
}

static void put(const struct switching *s, uint8_t *image, unsigned field, uint64_t value)
{
    memcpy(image + field * s->from->width, &value, s->from->width);
}

static int save(struct switching *s)
{
    struct virt_vcpu *v = s->e->virt;
    uint8_t image[FIELD_SEGMENTS * 4];
    struct segment segment;
    int err;

    put(s, image, FIELD_IP, virt_rip(v) + s->task->length);
    put(s, image, FIELD_FLAGS, flags_to_save(s));
    for (unsigned n = 0; n < 8; n++)
        put(s, image, FIELD_GPRS + n, virt_gpr(v, (enum gpr)n));
    err = gva_write(s->e->space, field_at(&s->old.segment, s->from, 0), image,
                    FIELD_SEGMENTS * s->from->width, GVA_IMPLICIT);
    for (unsigned n = 0; n < s->from->segments && !err; n++) {
        virt_segment(v, (enum seg)n, &segment);
        err = gva_write(s->e->space, field_at(&s->old.segment, s->from, FIELD_SEGMENTS + n),
                        &segment.selector, SELECTOR, GVA_IMPLICIT);
    }
    return err;
}

/* The last that can fail is the reading of the new TSS: the task may switch to itself, by IRET. */
static int leave(struct switching *s)
{
    struct gva_space *space = s->e->space;
    gva_t new = gva(s->new.segment.base);
    int err = 0;

    if (!nests(s))
        err = selector_set_busy(s->e, &s->old, false);
    if (!err)
        err = save(s);
    if (!err && nests(s))
        err = gva_write(space, gva(new.v + TSS_LINK), &s->old.segment.selector, LINK_BYTES,
                        GVA_IMPLICIT);
    if (!err)
        err = gva_read(space, new, s->tss, s->to->bytes, GVA_IMPLICIT);
    if (!err && s->task->by != TASK_IRET)
        err = selector_set_busy(s->e, &s->new, true);
    return err;
}

/* ---- In the new task ---- */

static bool is_vm86(const struct switching *s)
{
    return s->to == &tss32 && (field(s, FIELD_FLAGS) & RFLAGS_VM);
}

/* A selector whose descriptor has not been looked at yet. What a fault finds there until then no
 * manual says; code and stack are flat, so that its handler can run. SS tells the CPL. */
static void set_unchecked(struct switching *s, enum seg which)
{
    static const struct segment flat[] = {
        [SEG_ES] = { .ar = SEG_AR_UNUSABLE },      [SEG_CS] = { .limit = ~0u, .ar = 0xC09B },
        [SEG_SS] = { .limit = ~0u, .ar = 0xC093 }, [SEG_DS] = { .ar = SEG_AR_UNUSABLE },
        [SEG_FS] = { .ar = SEG_AR_UNUSABLE },      [SEG_GS] = { .ar = SEG_AR_UNUSABLE },
        [SEG_LDTR] = { .ar = SEG_AR_UNUSABLE },
    };
    struct segment segment = flat[which];

    segment.selector = selector_field(s, which);
    if (which == SEG_CS || which == SEG_SS)
        segment.ar |= (selector_field(s, SEG_CS) & SELECTOR_RPL) << 5;
    virt_set_segment(s->e->virt, which, &segment);
}

static void set_vm86(struct switching *s, enum seg which)
{
    uint16_t selector = selector_field(s, which);
    const struct segment segment = {
        .base = (uint64_t)selector << 4, .limit = 0xffff, .ar = AR_VM86, .selector = selector
    };

    virt_set_segment(s->e->virt, which, &segment);
}

static void set_registers(struct switching *s)
{
    struct virt_vcpu *v = s->e->virt;
    struct segment tr = s->new.segment;

    tr.ar |= SELECTOR_BUSY;
    virt_set_segment(v, SEG_TR, &tr);
    virt_set_rip(v, field(s, FIELD_IP));
    virt_set_rflags(v, field(s, FIELD_FLAGS) | (nests(s) ? RFLAGS_NT : 0));
    for (unsigned n = 0; n < 8; n++)
        virt_set_gpr(v, (enum gpr)n, field(s, FIELD_GPRS + n));
    set_unchecked(s, SEG_LDTR);
    for (unsigned which = SEG_ES; which <= SEG_GS; which++)
        (is_vm86(s) ? set_vm86 : set_unchecked)(s, (enum seg)which);
}

/* Of CR3 it is as with MOV: page-directory pointers with reserved bits are #GP. */
static int set_control(struct switching *s)
{
    struct virt_vcpu *v = s->e->virt;
    uint32_t cr3;
    int err = virt_set_cr0(v, virt_cr0(v) | CR0_TS);

    memcpy(&cr3, s->tss + TSS_CR3, sizeof(cr3));
    if (!err && s->to == &tss32 && (virt_cr0(v) & CR0_PG))
        err = virt_set_cr3(v, cr3);
    return err ? emulator_refuse(s->e, VECTOR_GP) : 0;
}

/* SDM, table "Exception Conditions Checked During a Task Switch". */
static int load_segments(struct switching *s)
{
    static const uint8_t order[] = { SEG_LDTR, SEG_CS, SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS };
    unsigned count = is_vm86(s) ? 1 : sizeof(order);
    int err = 0;

    if (selector_field(s, SEG_LDTR) & SELECTOR_TI)
        return selector_refuse(s->e, VECTOR_TS, selector_field(s, SEG_LDTR));
    for (unsigned i = 0; i < count && !err; i++)
        err =
            selector_load_of_task(s->e, (enum seg)order[i], selector_field(s, (enum seg)order[i]));
    return err;
}

/* An error code is as wide as the TSS. */
static int enter(struct switching *s)
{
    struct emulator *e = s->e;
    struct segment cs;
    int err = 0;

    if (s->task->event.has_error)
        err = operand_push(e, s->task->event.error, s->to->width);
    if (err)
        return err;
    virt_segment(e->virt, SEG_CS, &cs);
    return virt_rip(e->virt) > cs.limit ? emulator_refuse(e, VECTOR_GP) : 0;
}

/* ---- All of it ---- */

static int change(struct switching *s)
{
    int err = find_new(s);

    if (!err)
        err = find_old(s);
    if (!err)
        err = probe_all(s);
    if (!err)
        err = leave(s);
    if (err)
        return err;
    set_registers(s);
    virt_task_switched(s->e->virt, s->task);
    err = set_control(s);
    if (!err)
        err = load_segments(s);
    return err ? err : enter(s);
}

static bool is_external(const struct event *event)
{
    return event->valid && event->type != EVENT_SOFT_INT && event->type != EVENT_SOFT_EXC;
}

int task_switch(struct emulator *e, const struct virt_task *task)
{
    struct switching s = { .e = e, .task = task };
    int err = change(&s);

    if (err == -EACCES && is_external(&task->event))
        e->error |= ERROR_EXT;
    if (err)
        return err;
    virt_event_taken(e->virt);
    if (s.to == &tss32 && (s.tss[TSS_TRAP] & 1))
        virt_debug_trap(e->virt, DR6_BT);
    return 0;
}
