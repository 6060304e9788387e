/*
 * vmx/vmx.h for host tests. See tests/fakes/vmx.h.
 */
#include "tests/fakes/vmx.h"

#include <stdlib.h>
#include <string.h>
#include "arch/x86/cpu.h"
#include "arch/x86/irq.h"
#include "lib/assert.h"
#include "vmx/fast.h"

#define STATES 8

static struct fake_vmx states[STATES];
struct vmx_caps vmx_caps;
unsigned fake_vmx_fail_create, fake_vmx_dumps, fake_vmx_notified;
const char *const vmx_exit_name[VMX_EXIT_KINDS];

void fake_vmx_reset(void)
{
    memset(states, 0, sizeof(states));
    fake_vmx_fail_create = fake_vmx_dumps = fake_vmx_notified = 0;
    vmx_caps = (struct vmx_caps){ .ept_2m = true, .ept_1g = true };
}

struct fake_vmx *fake_vmx(const struct vmx_vcpu *v)
{
    for (unsigned i = 0; i < STATES; i++) {
        if (states[i].of == v)
            return &states[i];
        if (states[i].of)
            continue;
        states[i].of = v;
        states[i].rflags = RFLAGS_FIXED;
        states[i].refused = ~0ul;
        return &states[i];
    }
    abort();
}

int vmx_vcpu_create(struct vmx_vcpu *v, const struct vmx_vcpu_config *config)
{
    if (fake_vmx_fail_create && fake_vmx_fail_create--)
        return -ENOMEM;
    v->ept = config->ept;
    v->io_bitmap = config->io_bitmap;
    v->owner_id = config->owner_id;
    return 0;
}

void vmx_vcpu_destroy(struct vmx_vcpu *v)
{
    *fake_vmx(v) = (struct fake_vmx){ 0 };
}

void vmx_reset(struct vmx_vcpu *v)
{
    struct fake_vmx *f = fake_vmx(v);

    *f = (struct fake_vmx){ .of = v, .rflags = RFLAGS_FIXED, .refused = ~0ul };
    memset(v->gpr, 0, sizeof(v->gpr));
}

void vmx_load(struct vmx_vcpu *v)
{
    ASSERT(!v->loaded);
    v->loaded = true;
}

void vmx_unload(struct vmx_vcpu *v)
{
    ASSERT(v->loaded);
    v->loaded = false;
}

/* ---- Registers ---- */

#define PLAIN(name)                                                                                \
    uint64_t vmx_##name(const struct vmx_vcpu *v)                                                  \
    {                                                                                              \
        return fake_vmx(v)->name;                                                                  \
    }
#define SETS(name)                                                                                 \
    void vmx_set_##name(struct vmx_vcpu *v, uint64_t value)                                        \
    {                                                                                              \
        fake_vmx(v)->name = value;                                                                 \
    }
#define SETS_CHECKED(name)                                                                         \
    int vmx_set_##name(struct vmx_vcpu *v, uint64_t value)                                         \
    {                                                                                              \
        if (fake_vmx(v)->refused != ~0ul && fake_vmx(v)->refused == value)                         \
            return -EINVAL;                                                                        \
        fake_vmx(v)->name = value;                                                                 \
        return 0;                                                                                  \
    }
PLAIN(rsp)
PLAIN(rip)
PLAIN(rflags)
PLAIN(cr0)
PLAIN(cr3)
PLAIN(cr4)
PLAIN(efer)
SETS(rsp)
SETS(rip)
SETS(rflags)
SETS(tsc_offset)
SETS_CHECKED(cr0)
SETS_CHECKED(cr3)
SETS_CHECKED(cr4)
SETS_CHECKED(efer)
SETS_CHECKED(xcr0)

bool vmx_in_64bit_code(const struct vmx_vcpu *v)
{
    return (fake_vmx(v)->efer & EFER_LMA) && (fake_vmx(v)->seg[SEG_CS].ar & SEG_AR_L);
}

void vmx_mode(const struct vmx_vcpu *v, struct vmx_mode *m)
{
    const struct fake_vmx *f = fake_vmx(v);

    *m = (struct vmx_mode){ f->cr0, f->cr3, f->cr4, f->efer, f->seg[SEG_CS].ar, f->seg[SEG_SS].ar };
}

bool vmx_mode_same(const struct vmx_mode *a, const struct vmx_mode *b)
{
    return !memcmp(a, b, sizeof(*a));
}

bool vmx_in_64bit_kernel(const struct vmx_vcpu *v)
{
    return vmx_in_64bit_code(v) && vmx_cpl(v) == 0;
}

void vmx_segment(const struct vmx_vcpu *v, enum seg s, struct segment *out)
{
    ASSERT((unsigned)s < SEG_COUNT);
    *out = fake_vmx(v)->seg[s];
}

void vmx_set_segment(struct vmx_vcpu *v, enum seg s, const struct segment *in)
{
    ASSERT((unsigned)s < SEG_COUNT);
    fake_vmx(v)->seg[s] = *in;
}

void vmx_set_gdt(struct vmx_vcpu *v, uint64_t base, uint16_t limit)
{
    fake_vmx(v)->gdt_base = base;
    fake_vmx(v)->gdt_limit = limit;
}

void vmx_set_idt(struct vmx_vcpu *v, uint64_t base, uint16_t limit)
{
    fake_vmx(v)->idt_base = base;
    fake_vmx(v)->idt_limit = limit;
}

unsigned vmx_cpl(const struct vmx_vcpu *v)
{
    return fake_vmx(v)->seg[SEG_SS].ar >> 5 & 3;
}

bool vmx_msr_read(const struct vmx_vcpu *v, uint32_t msr, uint64_t *value)
{
    if (!fake_vmx(v)->msr || fake_vmx(v)->msr != msr)
        return false;
    *value = fake_vmx(v)->msr_value;
    return true;
}

int vmx_msr_write(struct vmx_vcpu *v, uint32_t msr, uint64_t value)
{
    if (!fake_vmx(v)->msr || fake_vmx(v)->msr != msr)
        return -ENOENT;
    if (fake_vmx(v)->refused == value)
        return -EINVAL;
    fake_vmx(v)->msr_value = value;
    return 0;
}

/* ---- Entering, events ---- */

struct vmx_io vmx_io(const struct vmx_vcpu *v)
{
    return fake_vmx(v)->io;
}

struct vmx_io_string vmx_io_string(const struct vmx_vcpu *v, struct vmx_io io)
{
    ASSERT(io.string); /* the others have no such information */
    return fake_vmx(v)->io_string;
}

void vmx_skip(struct vmx_vcpu *v)
{
    fake_vmx(v)->skips++;
    fake_vmx(v)->rip += fake_vmx(v)->insn_len;
}

void vmx_skip_len(struct vmx_vcpu *v, uint64_t len)
{
    fake_vmx(v)->skips++;
    fake_vmx(v)->rip += len;
}

bool vmx_inject(struct vmx_vcpu *v, const struct event *e)
{
    ASSERT(e->valid);
    fake_vmx(v)->pending = *e;
    fake_vmx(v)->injected++;
    return !fake_vmx(v)->triple;
}

static bool inject(struct vmx_vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
    const struct event e = { .valid = true,
                             .vector = vector,
                             .type = EVENT_EXCEPTION,
                             .has_error = has_error,
                             .error = error };

    return vmx_inject(v, &e);
}

bool vmx_inject_gp(struct vmx_vcpu *v)
{
    return inject(v, VECTOR_GP, true, 0);
}

bool vmx_inject_ud(struct vmx_vcpu *v)
{
    return inject(v, VECTOR_UD, false, 0);
}

bool vmx_inject_pf(struct vmx_vcpu *v, gva_t address, uint32_t error)
{
    fake_vmx(v)->cr2 = address.v;
    return inject(v, VECTOR_PF, true, error);
}

bool vmx_event_pending(const struct vmx_vcpu *v)
{
    return fake_vmx(v)->pending.valid;
}

bool vmx_irq_open(const struct vmx_vcpu *v)
{
    const struct fake_vmx *f = fake_vmx(v);

    return (f->rflags & RFLAGS_IF) && !f->irq_closed && !f->pending.valid;
}

void vmx_want_irq_window(struct vmx_vcpu *v, bool want)
{
    fake_vmx(v)->irq_window = want;
}

void vmx_set_apic_mode(struct vmx_vcpu *v, enum vmx_apic_mode mode)
{
    fake_vmx(v)->apic_mode = mode;
    v->delivers = vmx_caps.virtual_interrupts && mode != VMX_APIC_OFF;
}

void vmx_set_interrupts(struct vmx_vcpu *v, uint8_t requested, uint8_t served)
{
    fake_vmx(v)->requested = requested;
    fake_vmx(v)->served = served;
    fake_vmx(v)->tells++;
}

void vmx_request_interrupt(struct vmx_vcpu *v, uint8_t vector)
{
    if (vector > fake_vmx(v)->requested)
        fake_vmx(v)->requested = vector;
}

bool vmx_interrupt_due(const struct vmx_vcpu *v, uint8_t tpr)
{
    const struct fake_vmx *f = fake_vmx(v);

    return f->requested >> 4 > f->served >> 4 && f->requested >> 4 > tpr >> 4;
}

void vmx_set_eoi_exits(struct vmx_vcpu *v, const uint64_t vectors[4])
{
    memcpy(fake_vmx(v)->eoi_exits, vectors, sizeof(fake_vmx(v)->eoi_exits));
}

void vmx_set_held_class(struct vmx_vcpu *v, unsigned class)
{
    v->held_class = class;
}

void irq_notify_posted(unsigned cpu)
{
    fake_vmx_notified = cpu + 1;
}

void vmx_queue_nmi(struct vmx_vcpu *v)
{
    fake_vmx(v)->nmis++;
}

bool vmx_nmi_waiting(const struct vmx_vcpu *v)
{
    return fake_vmx(v)->nmis > 0;
}

void vmx_dump_vmcs(const struct vmx_vcpu *v)
{
    (void)v;
    fake_vmx_dumps++;
}

unsigned fake_vmx_flushes;

void vmx_flush_ept(const struct ept *ept)
{
    (void)ept;
    fake_vmx_flushes++;
}
