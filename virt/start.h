/*
 * A state in which a vCPU begins otherwise than by INIT: as a loaded image or a hypercall
 * (VCPUOP_initialise) wants it.
 */
#ifndef CAISSON_VIRT_START_H
#define CAISSON_VIRT_START_H

#include <stdbool.h>
#include <stdint.h>
#include "virt/virt.h"

/* The part of a vCPU's state that is given; the rest is as after INIT. */
struct virt_start {
    uint64_t gpr[GPR_RDI + 1], rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
    struct segment segment[SEG_COUNT]; /* FS, GS and LDTR of these are not looked at */
};

/* Flat segments of 4 GiB: CS for 64-bit code, or for 32-bit; DS, ES and SS. */
static inline void virt_start_flat(struct virt_start *s, bool is_64bit, uint16_t cs, uint16_t ds)
{
    uint32_t common = SEG_AR_G | SEG_AR_P | SEG_AR_S;

    s->segment[SEG_CS] = (struct segment){ .limit = ~0u,
                                           .selector = cs,
                                           .ar = common | 0xb | (is_64bit ? SEG_AR_L : SEG_AR_DB) };
    s->segment[SEG_DS] =
        (struct segment){ .limit = ~0u, .selector = ds, .ar = common | 0x3 | SEG_AR_DB };
    s->segment[SEG_ES] = s->segment[SEG_SS] = s->segment[SEG_DS];
}

/* Real mode: each segment is 64 KiB from its selector on. */
static inline void virt_start_real(struct virt_start *s, uint16_t cs, uint16_t ds)
{
    uint32_t common = SEG_AR_P | SEG_AR_S;

    s->segment[SEG_CS] = (struct segment){
        .base = (uint64_t)cs << 4, .limit = 0xffff, .selector = cs, .ar = common | 0xb
    };
    s->segment[SEG_DS] = (struct segment){
        .base = (uint64_t)ds << 4, .limit = 0xffff, .selector = ds, .ar = common | 0x3
    };
    s->segment[SEG_ES] = s->segment[SEG_SS] = s->segment[SEG_DS];
}

/* Puts it into a vCPU that is loaded and reset, but for FS, GS, LDTR and TR. -EINVAL if a CPU would
 * not take its control registers. */
int must_check virt_start_put(struct virt_vcpu *v, const struct virt_start *s);

#endif
