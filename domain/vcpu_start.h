/*
 * A vCPU that begins as its domain's image says, or where another vCPU of its domain wants it
 * (VCPUOP_initialise, then VCPUOP_up; the call is hypercall/vcpu_start.c), not by STARTUP.
 */
#ifndef CAISSON_DOMAIN_VCPU_START_H
#define CAISSON_DOMAIN_VCPU_START_H

#include <stdbool.h>
#include <stdint.h>
#include "loader/image.h"
#include "virt/virt.h"

struct vcpu;

/* The part of a vCPU's state that the call sets; the rest is as after INIT. */
struct vcpu_start {
    uint64_t gpr[GPR_RDI + 1], rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
    struct segment segment[SEG_COUNT]; /* FS, GS and LDTR of these are not looked at */
};

/* Flat segments of 4 GiB: CS for 64-bit code, or for 32-bit; DS, ES and SS. */
static inline void vcpu_start_flat(struct vcpu_start *s, bool is_64bit, uint16_t cs, uint16_t ds)
{
    uint32_t common = SEG_AR_G | SEG_AR_P | SEG_AR_S;

    s->segment[SEG_CS] = (struct segment){ .limit = ~0u,
                                           .selector = cs,
                                           .ar = common | 0xb | (is_64bit ? SEG_AR_L : SEG_AR_DB) };
    s->segment[SEG_DS] =
        (struct segment){ .limit = ~0u, .selector = ds, .ar = common | 0x3 | SEG_AR_DB };
    s->segment[SEG_ES] = s->segment[SEG_SS] = s->segment[SEG_DS];
}

/* Puts registers and mode in as the loaded image wants to be entered; v has not run yet. */
void vcpu_set_start(struct vcpu *v, const struct image_start *start);
/* Puts v->start in; ends the domain if the CPU would not take it. From v's own run loop. */
void vcpu_start_take(struct vcpu *v);

#endif
