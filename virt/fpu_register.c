/*
 * One register of a loaded vCPU: for an instruction that Caisson carries out in the guest's place.
 * See virt/fpu.h. All of them go out to the area and come back: it is for devices, and seldom.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/string.h"
#include "virt/fpu.h"
#include "virt/fpu_area.h"
#include "virt/virt.h"

#define YMM_HIGH     2 /* numbers of state components */
#define ZMM_HIGH     6
#define FCW_INITIAL  0x037F
#define FSW_TOP_MASK (7u << 11)
#define FSW_TOP(fsw) ((fsw) >> 11 & 7)

/* QEMU lets a guest's XSETBV through on AMD-V: then the CPU alone knows. */
static void learn_xcr0(struct virt_vcpu *v)
{
    if (cpuid(1, 0).ecx & CPUID_1C_XSAVE)
        v->xcr0 = xgetbv(0) & v->xcr0_mask;
}

void fpu_spell_out(struct fpu_area *area)
{
    if (!(area->xstate_bv & XCR0_X87)) {
        area->fcw = FCW_INITIAL;
        area->fsw = area->ftw = area->fop = 0;
        area->fip = area->fdp = 0;
        memset(area->st, 0, sizeof(area->st));
    }
    if (!(area->xstate_bv & XCR0_SSE))
        memset(area->xmm, 0, sizeof(area->xmm));
    area->xstate_bv |= XCR0_X87 | XCR0_SSE;
}

struct fpu_area *fpu_take_out(struct virt_vcpu *v)
{
    learn_xcr0(v);
    fpu_save(v);
    fpu_spell_out(v->fpu);
    return v->fpu;
}

/* The part of register n in component i, of so many bytes; NULL: the domain has none such. */
static void *part_of(const struct virt_vcpu *v, unsigned i, unsigned n, unsigned bytes)
{
    struct fpu_area *area = v->fpu;

    if (!(v->xcr0_mask & 1UL << i))
        return NULL;
    struct cpuid_regs r = cpuid(FPU_XSAVE_LEAF, i);
    char *component = (char *)area + r.ebx;
    if (!(area->xstate_bv & 1UL << i))
        memset(component, 0, r.eax);
    area->xstate_bv |= 1UL << i;
    return component + n * bytes;
}

bool fpu_has_avx(struct virt_vcpu *v)
{
    learn_xcr0(v);
    return (v->xcr0 & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX);
}

void fpu_read_vector(struct virt_vcpu *v, unsigned n, uint64_t value[4])
{
    const struct fpu_area *area = fpu_take_out(v);
    const void *high = part_of(v, YMM_HIGH, n, 16);

    ASSERT(n < 16);
    memcpy(value, area->xmm[n], 16);
    memset(&value[2], 0, 16);
    if (high)
        memcpy(&value[2], high, 16);
    fpu_load(v);
}

void fpu_write_vector(struct virt_vcpu *v, unsigned n, const uint64_t value[4], bool whole)
{
    struct fpu_area *area = fpu_take_out(v);
    void *high = whole ? part_of(v, YMM_HIGH, n, 16) : NULL;
    void *higher = whole ? part_of(v, ZMM_HIGH, n, 32) : NULL;

    ASSERT(n < 16);
    memcpy(area->xmm[n], value, 16);
    if (high)
        memcpy(high, &value[2], 16);
    if (higher)
        memset(higher, 0, 32);
    fpu_load(v);
}

/* SDM volume 1, "Effect of MMX, x87 FPU, FXSAVE, and FXRSTOR Instructions on the x87 FPU Tag Word":
 * with each MMX instruction the stack begins at register 0, and all of them are in use. */
static uint8_t *mmx_register(struct fpu_area *area, unsigned n)
{
    uint8_t st[8][16];

    ASSERT(n < 8);
    memcpy(st, area->st, sizeof(st));
    for (unsigned i = 0; i < 8; i++)
        memcpy(area->st[(i + FSW_TOP(area->fsw)) % 8], st[i], 16);
    area->fsw &= (uint16_t)~FSW_TOP_MASK;
    area->ftw = FPU_TAGS_IN_USE;
    return area->st[n];
}

uint64_t fpu_read_mmx(struct virt_vcpu *v, unsigned n)
{
    uint64_t value;

    memcpy(&value, mmx_register(fpu_take_out(v), n), sizeof(value));
    fpu_load(v);
    return value;
}

void fpu_write_mmx(struct virt_vcpu *v, unsigned n, uint64_t value)
{
    uint8_t *at = mmx_register(fpu_take_out(v), n);

    memcpy(at, &value, sizeof(value));
    at[8] = at[9] = 0xff; /* what the x87 sees of it is no number */
    fpu_load(v);
}
