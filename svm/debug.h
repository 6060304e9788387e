/*
 * Debug registers: those that VMRUN does not switch.
 */
#ifndef CAISSON_SVM_DEBUG_H
#define CAISSON_SVM_DEBUG_H

#include "arch/x86/insn.h"
#include "virt/virt.h"

/* DR0 to DR3; DR6 and DR7 are in the VMCB. */
static inline void debug_load(const struct virt_vcpu *v)
{
    write_dr0(v->dr[0]);
    write_dr1(v->dr[1]);
    write_dr2(v->dr[2]);
    write_dr3(v->dr[3]);
}

static inline void debug_save(struct virt_vcpu *v)
{
    v->dr[0] = read_dr0();
    v->dr[1] = read_dr1();
    v->dr[2] = read_dr2();
    v->dr[3] = read_dr3();
}

#endif
