/*
 * The image of a vCPU's FPU, SSE and extended states while it is not loaded: for who saves it, and
 * makes another of what was saved. See virt/fpu.h.
 *
 * XRSTOR faults, in Caisson, on an image with bits that the CPU does not know: so each is looked at
 * here first. Sources: SDM volume 1, "XRSTOR", "Enhanced Compaction"; "Checking the MXCSR mask".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "virt/fpu.h"
#include "virt/fpu_area.h"
#include "virt/virt.h"

#define MXCSR_MASK_OLD 0xFFBFu /* of CPUs that leave the field 0 */

_Static_assert(sizeof(struct fpu_area) == FPU_LEGACY_BYTES + FPU_HEADER_BYTES, "both of them");

uint32_t fpu_image_bytes(const struct virt_vcpu *v)
{
    return v->has_xsave ? fpu_area_bytes(v->xcr0_mask) : 0;
}

uint64_t fpu_image_states(const struct virt_vcpu *v)
{
    return v->xcr0_mask;
}

uint64_t fpu_image_xcr0(const struct virt_vcpu *v)
{
    return v->xcr0;
}

/* FXSAVE knows no states: all that it has is in use. */
const void *fpu_image(struct virt_vcpu *v)
{
    ASSERT(!v->loaded);
    if (v->has_xsave)
        fpu_spell_out(v->fpu);
    return v->fpu;
}

static uint32_t mxcsr_mask(void)
{
    struct fpu_area area __attribute__((aligned(16)));

    area.mxcsr_mask = 0;
    fxsave(&area);
    return area.mxcsr_mask ? area.mxcsr_mask : MXCSR_MASK_OLD;
}

static bool mxcsr_fits(uint32_t mxcsr)
{
    return !(mxcsr & ~mxcsr_mask());
}

/* But the mask, which is the CPU's. */
static void put_legacy(struct virt_vcpu *v, const struct fpu_area *in, uint64_t states)
{
    struct fpu_area *area = v->fpu;

    memcpy(area, in, FPU_LEGACY_BYTES);
    area->mxcsr_mask = 0;
    memset(area->unused, 0, sizeof(area->unused));
    area->xstate_bv = states;
    area->xcomp_bv = 0;
    memset(area->reserved, 0, sizeof(area->reserved));
}

int fpu_image_put_legacy(struct virt_vcpu *v, const void *image)
{
    const struct fpu_area *in = image;

    ASSERT(!v->loaded);
    if (!mxcsr_fits(in->mxcsr))
        return -EINVAL;
    put_legacy(v, in, XCR0_X87 | XCR0_SSE);
    return 0;
}

static bool header_fits(const struct virt_vcpu *v, const struct fpu_area *in)
{
    for (unsigned i = 0; i < sizeof(in->reserved) / sizeof(in->reserved[0]); i++)
        if (in->reserved[i])
            return false;
    return !in->xcomp_bv && !(in->xstate_bv & ~v->xcr0_mask);
}

int fpu_image_put(struct virt_vcpu *v, const void *image, uint64_t xcr0)
{
    const struct fpu_area *in = image;

    ASSERT(!v->loaded);
    if (!v->has_xsave || !fpu_xcr0_fits(xcr0, v->xcr0_mask) || !header_fits(v, in) ||
        !mxcsr_fits(in->mxcsr))
        return -EINVAL;
    put_legacy(v, in, in->xstate_bv);
    v->xcr0 = xcr0;
    return 0;
}

void *fpu_image_rest(struct virt_vcpu *v)
{
    return (char *)v->fpu + sizeof(struct fpu_area);
}
