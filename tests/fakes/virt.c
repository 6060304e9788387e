/*
 * virt/virt.h for host tests. See tests/fakes/virt.h.
 */
#include "tests/fakes/virt.h"

#include <stdlib.h>
#include <string.h>
#include "arch/x86/cpu.h"
#include "arch/x86/irq.h"
#include "iommu/iommu.h"
#include "lib/assert.h"
#include "virt/fpu.h"
#include "vmx/ept.h"

#define STATES 16

static struct fake_virt states[STATES];
struct virt_caps virt_caps = { .slat = EPT_FORMAT };
unsigned fake_virt_fail_create, fake_virt_dumps, fake_virt_notified, fake_iommu_flushes;
const char *const virt_exit_name[VIRT_EXIT_KINDS];

void fake_virt_reset(void)
{
    memset(states, 0, sizeof(states));
    fake_virt_fail_create = fake_virt_dumps = fake_virt_notified = fake_iommu_flushes = 0;
    virt_caps = (struct virt_caps){ .slat = EPT_FORMAT, .slat_2m = true, .slat_1g = true };
}

struct fake_virt *fake_virt(const struct virt_vcpu *v)
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

int virt_vcpu_create(struct virt_vcpu *v, const struct virt_vcpu_config *config)
{
    if (fake_virt_fail_create && fake_virt_fail_create--)
        return -ENOMEM;
    v->slat = config->slat;
    v->io_bitmap = config->io_bitmap;
    v->owner_id = config->owner_id;
    return 0;
}

void virt_vcpu_destroy(struct virt_vcpu *v)
{
    *fake_virt(v) = (struct fake_virt){ 0 };
}

void virt_reset(struct virt_vcpu *v)
{
    struct fake_virt *f = fake_virt(v);

    *f = (struct fake_virt){ .of = v, .rflags = RFLAGS_FIXED, .refused = ~0ul };
    memset(v->gpr, 0, sizeof(v->gpr));
}

void virt_load(struct virt_vcpu *v)
{
    ASSERT(!v->loaded);
    v->loaded = true;
}

void virt_unload(struct virt_vcpu *v)
{
    ASSERT(v->loaded);
    v->loaded = false;
}

/* ---- Registers ---- */

#define PLAIN(name)                                                                                \
    uint64_t virt_##name(const struct virt_vcpu *v)                                                \
    {                                                                                              \
        return fake_virt(v)->name;                                                                 \
    }
#define SETS(name)                                                                                 \
    void virt_set_##name(struct virt_vcpu *v, uint64_t value)                                      \
    {                                                                                              \
        fake_virt(v)->name = value;                                                                \
    }
#define SETS_CHECKED(name)                                                                         \
    int virt_set_##name(struct virt_vcpu *v, uint64_t value)                                       \
    {                                                                                              \
        if (fake_virt(v)->refused != ~0ul && fake_virt(v)->refused == value)                       \
            return -EINVAL;                                                                        \
        fake_virt(v)->name = value;                                                                \
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

bool virt_in_64bit_code(const struct virt_vcpu *v)
{
    return (fake_virt(v)->efer & EFER_LMA) && (fake_virt(v)->seg[SEG_CS].ar & SEG_AR_L);
}

void virt_mode(const struct virt_vcpu *v, struct virt_mode *m)
{
    const struct fake_virt *f = fake_virt(v);

    *m =
        (struct virt_mode){ f->cr0, f->cr3, f->cr4, f->efer, f->seg[SEG_CS].ar, f->seg[SEG_SS].ar };
}

uint64_t virt_mode_and_rip(const struct virt_vcpu *v, struct virt_mode *m)
{
    virt_mode(v, m);
    return fake_virt(v)->rip;
}

void virt_segment(const struct virt_vcpu *v, enum seg s, struct segment *out)
{
    ASSERT((unsigned)s < SEG_COUNT);
    *out = fake_virt(v)->seg[s];
}

void virt_set_segment(struct virt_vcpu *v, enum seg s, const struct segment *in)
{
    ASSERT((unsigned)s < SEG_COUNT);
    fake_virt(v)->seg[s] = *in;
}

void virt_gdt(const struct virt_vcpu *v, struct segment *out)
{
    *out = (struct segment){ .base = fake_virt(v)->gdt_base, .limit = fake_virt(v)->gdt_limit };
}

void virt_set_gdt(struct virt_vcpu *v, uint64_t base, uint16_t limit)
{
    fake_virt(v)->gdt_base = base;
    fake_virt(v)->gdt_limit = limit;
}

unsigned virt_cpl(const struct virt_vcpu *v)
{
    return fake_virt(v)->seg[SEG_SS].ar >> 5 & 3;
}

bool virt_msr_read(const struct virt_vcpu *v, uint32_t msr, uint64_t *value)
{
    if (!fake_virt(v)->msr || fake_virt(v)->msr != msr)
        return false;
    *value = fake_virt(v)->msr_value;
    return true;
}

int virt_msr_write(struct virt_vcpu *v, uint32_t msr, uint64_t value)
{
    if (!fake_virt(v)->msr || fake_virt(v)->msr != msr)
        return -ENOENT;
    if (fake_virt(v)->refused == value)
        return -EINVAL;
    fake_virt(v)->msr_value = value;
    return 0;
}

bool fpu_has_avx(struct virt_vcpu *v)
{
    return (fake_virt(v)->xcr0 & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX);
}

void fpu_read_vector(struct virt_vcpu *v, unsigned n, uint64_t value[4])
{
    memcpy(value, fake_virt(v)->vector[n], 32);
}

void fpu_write_vector(struct virt_vcpu *v, unsigned n, const uint64_t value[4], bool whole)
{
    memcpy(fake_virt(v)->vector[n], value, whole ? 32 : 16);
}

uint64_t fpu_read_mmx(struct virt_vcpu *v, unsigned n)
{
    return fake_virt(v)->mmx[n];
}

void fpu_write_mmx(struct virt_vcpu *v, unsigned n, uint64_t value)
{
    fake_virt(v)->mmx[n] = value;
}

__attribute__((weak)) bool fpu_x87_exception(void)
{
    return false;
}

/* Whatever is stored is one pattern. */
__attribute__((weak)) bool fpu_x87(struct virt_vcpu *v, const struct fpu_x87 *x, void *operand)
{
    (void)x;
    fake_virt(v)->x87++;
    memset(operand, 0x5a, 10);
    return true;
}

/* ---- All of its state ---- */

const void *fpu_image(struct virt_vcpu *v)
{
    return fake_virt(v)->fpu;
}

uint32_t fpu_image_bytes(const struct virt_vcpu *v)
{
    (void)v;
    return FAKE_FPU_BYTES;
}

uint64_t fpu_image_states(const struct virt_vcpu *v)
{
    (void)v;
    return XCR0_X87 | XCR0_SSE | XCR0_AVX;
}

uint64_t fpu_image_xcr0(const struct virt_vcpu *v)
{
    return fake_virt(v)->fpu_xcr0;
}

int fpu_image_put_legacy(struct virt_vcpu *v, const void *image)
{
    if (*(const uint8_t *)image == FAKE_FPU_BAD)
        return -EINVAL;
    memcpy(fake_virt(v)->fpu, image, FPU_LEGACY_BYTES);
    return 0;
}

int fpu_image_put(struct virt_vcpu *v, const void *image, uint64_t xcr0)
{
    if (*(const uint8_t *)image == FAKE_FPU_BAD || !(xcr0 & 1))
        return -EINVAL;
    memcpy(fake_virt(v)->fpu, image, FPU_LEGACY_BYTES + FPU_HEADER_BYTES);
    fake_virt(v)->fpu_xcr0 = xcr0;
    return 0;
}

void *fpu_image_rest(struct virt_vcpu *v)
{
    return fake_virt(v)->fpu + FPU_LEGACY_BYTES + FPU_HEADER_BYTES;
}

void virt_state_get(struct virt_vcpu *v, struct virt_start *start, struct virt_rest *rest)
{
    *start = (struct virt_start){ .rip = fake_virt(v)->rip, .rflags = fake_virt(v)->rflags };
    *rest = (struct virt_rest){ .gpr = { v->gpr[GPR_R8] } };
}

int virt_state_put(struct virt_vcpu *v, const struct virt_start *start,
                   const struct virt_rest *rest)
{
    fake_virt(v)->put_start = *start;
    fake_virt(v)->put_rest = *rest;
    fake_virt(v)->puts++;
    return fake_virt(v)->refused == start->cr3 ? -EINVAL : 0;
}

/* ---- Debug registers ---- */

void virt_breakpoints(const struct virt_vcpu *v, struct virt_breakpoints *out)
{
    *out = fake_virt(v)->breakpoints;
}

void virt_watch_dr7(struct virt_vcpu *v, bool watch)
{
    fake_virt(v)->dr7_free = !watch;
}

void virt_debug_trap(struct virt_vcpu *v, uint32_t met)
{
    ASSERT(met && !fake_virt(v)->pending.valid);
    fake_virt(v)->traps = met;
}

/* ---- Entering, events ---- */

struct virt_io_string virt_io_string(const struct virt_vcpu *v, struct virt_io io)
{
    ASSERT(io.string); /* the others have no such information */
    return fake_virt(v)->io_string;
}

enum exit_answer fake_virt_answered(struct virt_vcpu *v, enum exit_answer answer)
{
    if (!(answer & (EXIT_HERE | EXIT_UNHANDLED)))
        virt_skip(v);
    return answer;
}

void virt_skip(struct virt_vcpu *v)
{
    fake_virt(v)->skips++;
    fake_virt(v)->rip += fake_virt(v)->insn_len;
}

void virt_skip_len(struct virt_vcpu *v, uint64_t len)
{
    fake_virt(v)->skips++;
    fake_virt(v)->rip += len;
}

bool virt_inject(struct virt_vcpu *v, const struct event *e)
{
    ASSERT(e->valid);
    fake_virt(v)->pending = *e;
    fake_virt(v)->injected++;
    return !fake_virt(v)->triple;
}

static bool inject(struct virt_vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
    const struct event e = { .valid = true,
                             .vector = vector,
                             .type = EVENT_EXCEPTION,
                             .has_error = has_error,
                             .error = error };

    return virt_inject(v, &e);
}

bool virt_inject_with(struct virt_vcpu *v, uint8_t vector, uint32_t error)
{
    return inject(v, vector, ERROR_CODE_VECTORS >> vector & 1, error);
}

bool virt_inject_exception(struct virt_vcpu *v, uint8_t vector)
{
    return inject(v, vector, ERROR_CODE_VECTORS >> vector & 1, 0);
}

bool virt_inject_pf(struct virt_vcpu *v, gva_t address, uint32_t error)
{
    fake_virt(v)->cr2 = address.v;
    return inject(v, VECTOR_PF, true, error);
}

void virt_event_taken(struct virt_vcpu *v)
{
    fake_virt(v)->taken++;
}

void virt_task_switched(struct virt_vcpu *v, const struct virt_task *t)
{
    (void)t;
    fake_virt(v)->task_switches++;
}

bool virt_event_pending(const struct virt_vcpu *v)
{
    return fake_virt(v)->pending.valid;
}

bool virt_irq_open(const struct virt_vcpu *v)
{
    const struct fake_virt *f = fake_virt(v);

    return (f->rflags & RFLAGS_IF) && !f->irq_closed && !f->pending.valid;
}

void virt_want_irq_window(struct virt_vcpu *v, bool want)
{
    fake_virt(v)->irq_window = want;
}

void virt_set_apic_mode(struct virt_vcpu *v, enum virt_apic_mode mode)
{
    fake_virt(v)->apic_mode = mode;
    v->delivers = virt_caps.virtual_interrupts &&
                  (virt_caps.amd ? mode == VIRT_APIC_PAGE : mode != VIRT_APIC_OFF);
}

void virt_set_interrupts(struct virt_vcpu *v, uint8_t requested, uint8_t served)
{
    fake_virt(v)->requested = requested;
    fake_virt(v)->served = served;
    fake_virt(v)->tells++;
}

void virt_request_interrupt(struct virt_vcpu *v, uint8_t vector)
{
    if (vector > fake_virt(v)->requested)
        fake_virt(v)->requested = vector;
}

bool virt_interrupt_due(const struct virt_vcpu *v, uint8_t tpr)
{
    const struct fake_virt *f = fake_virt(v);

    return f->requested >> 4 > f->served >> 4 && f->requested >> 4 > tpr >> 4;
}

void virt_set_eoi_exits(struct virt_vcpu *v, const uint64_t vectors[4])
{
    memcpy(fake_virt(v)->eoi_exits, vectors, sizeof(fake_virt(v)->eoi_exits));
}

void virt_set_held_class(struct virt_vcpu *v, unsigned class)
{
    v->held_class = class;
}

void irq_notify_posted(unsigned cpu)
{
    fake_virt_notified = cpu + 1;
}

void virt_queue_nmi(struct virt_vcpu *v)
{
    fake_virt(v)->nmis++;
}

bool virt_nmi_waiting(const struct virt_vcpu *v)
{
    return fake_virt(v)->nmis > 0;
}

bool virt_dump_control(const struct virt_vcpu *v, unsigned part)
{
    (void)v;
    fake_virt_dumps++;
    return part < 2;
}

unsigned fake_virt_flushes;

void virt_flush_slat(const struct slat *ept)
{
    (void)ept;
    fake_virt_flushes++;
}

__attribute__((weak)) void iommu_flush(uint16_t owner, gfn_t start, uint64_t frames)
{
    (void)owner;
    (void)start;
    (void)frames;
    fake_iommu_flushes++;
}
