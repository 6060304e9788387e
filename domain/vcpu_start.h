/*
 * A vCPU that begins where another one of its domain wants it (VCPUOP_initialise, then VCPUOP_up),
 * not by INIT and STARTUP. See vcpu_start.c; the call is hypercall/vcpu_start.c.
 */
#ifndef CAISSON_DOMAIN_VCPU_START_H
#define CAISSON_DOMAIN_VCPU_START_H

#include <stdint.h>
#include "virt/virt.h"

struct vcpu;

/* The part of a vCPU's state that the call sets; the rest is as after INIT. */
struct vcpu_start {
    uint64_t gpr[GPR_RDI + 1], rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
    struct segment segment[SEG_COUNT]; /* FS, GS and LDTR of these are not looked at */
};

/* Puts the state in; ends the domain if the CPU would not take it. From v's own run loop. */
void vcpu_start_take(struct vcpu *v);

#endif
