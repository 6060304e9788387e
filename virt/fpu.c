/*
 * FPU, SSE and the extended states: whole, and only when a vCPU comes to or leaves a pCPU.
 *
 * Caisson is built without FPU code, so the guest's registers simply stay where they are while it
 * is loaded, and so does its XCR0. The area is in XSAVE's standard format, as large as the states
 * that the domain may enable; a CPU without XSAVE gets FXSAVE's 512 bytes.
 * Sources: SDM volume 1, "Managing State Using the XSAVE Feature Set"; APM volume 2, "FXSAVE and
 * FXRSTOR Instructions"; APM volume 3, CPUID leaf 80000008, RstrFpErrPtrs.
 */
#include "virt/fpu.h"

#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/likely.h"
#include "mm/heap.h"
#include "virt/fpu_area.h"
#include "virt/virt.h"

#define FCW_RESET   0x0040
#define MXCSR_RESET 0x1F80
#define AVX512      (XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)

/* All states of this machine's CPUs, which are alike: each creation writes the same. */
static uint64_t states_there;

static bool has_xsave(void)
{
    return cpuid(1, 0).ecx & CPUID_1C_XSAVE;
}

cold uint32_t fpu_area_bytes(uint64_t mask)
{
    uint32_t bytes = FPU_LEGACY_BYTES + FPU_HEADER_BYTES;
    for (unsigned i = 2; i < 63; i++) {
        if (!(mask & 1UL << i))
            continue;
        struct cpuid_regs r = cpuid(FPU_XSAVE_LEAF, i);
        if (r.ebx + r.eax > bytes)
            bytes = r.ebx + r.eax;
    }
    return bytes;
}

/* Only states that this CPU has; x87 and SSE always, for they need saving in any case. */
static uint64_t sane_mask(uint64_t wanted)
{
    if (!has_xsave())
        return XCR0_X87 | XCR0_SSE;
    struct cpuid_regs r = cpuid(FPU_XSAVE_LEAF, 0);
    states_there = (uint64_t)r.edx << 32 | r.eax | XCR0_X87 | XCR0_SSE;
    return (wanted & states_there) | XCR0_X87 | XCR0_SSE;
}

cold int fpu_create(struct virt_vcpu *v)
{
    v->has_xsave = has_xsave();
    v->xcr0_mask = sane_mask(v->xcr0_mask);
    v->fpu_order = heap_order(fpu_area_bytes(v->xcr0_mask));
    struct fpu_area *area = heap_pages(v->fpu_order, v->owner_id);
    if (!area)
        return -ENOMEM;
    area->fcw = FCW_RESET;
    area->ftw = FPU_TAGS_IN_USE;
    area->mxcsr = MXCSR_RESET;
    area->xstate_bv = XCR0_X87 | XCR0_SSE;
    v->fpu = area;
    v->xcr0 = XCR0_X87;
    return 0;
}

cold void fpu_destroy(struct virt_vcpu *v)
{
    if (v->fpu)
        heap_free_pages(v->fpu, v->fpu_order, v->owner_id);
    v->fpu = NULL;
}

static __attribute__((noinline)) bool loads_pointers(void)
{
    return cpuid(0x80000000, 0).eax >= 0x80000008 &&
           (cpuid(0x80000008, 0).ebx & CPUID_EXT8B_ERR_PTRS);
}

/* AMD's older CPUs leave the pointers to the last x87 instruction and to its operand as they are,
 * unless an exception is pending in what is loaded: the next guest would read where the last one's
 * code and data are. It reads Caisson's instead, which are the same on every machine. */
static void hide_pointers(void)
{
    static const uint32_t nothing;

    if (virt_caps.amd && !loads_pointers())
        x87_point_to(&nothing);
}

void fpu_load(struct virt_vcpu *v)
{
    hide_pointers();
    if (!v->has_xsave) {
        fxrstor(v->fpu);
        return;
    }
    /* What the guest has switched off for now is its state all the same. What it is not to have is
     * as after RESET: QEMU lets a guest's XSETBV through on AMD-V, and there the last one may have
     * left something. */
    xsetbv(0, states_there);
    xrstor(v->fpu, states_there);
    if (v->xcr0 != states_there)
        xsetbv(0, v->xcr0);
}

void fpu_save(struct virt_vcpu *v)
{
    if (!v->has_xsave) {
        fxsave(v->fpu);
        return;
    }
    if (v->xcr0 != v->xcr0_mask)
        xsetbv(0, v->xcr0_mask);
    xsave(v->fpu, v->xcr0_mask);
}

/* SDM volume 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features". */
bool fpu_xcr0_fits(uint64_t value, uint64_t mask)
{
    if (!(value & XCR0_X87) || (value & ~mask))
        return false;
    if ((value & XCR0_AVX) && !(value & XCR0_SSE))
        return false;
    if (!(value & XCR0_BNDREGS) != !(value & XCR0_BNDCSR))
        return false;
    uint64_t wide = value & AVX512;
    return wide == 0 || (wide == AVX512 && (value & XCR0_AVX));
}

int virt_set_xcr0(struct virt_vcpu *v, uint64_t value)
{
    if (!fpu_xcr0_fits(value, v->xcr0_mask))
        return -EINVAL;
    v->xcr0 = value;
    xsetbv(0, value);
    return 0;
}
