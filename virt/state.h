/*
 * All of a vCPU's state, out of the processor and into it: what virt/start.h has, and the rest. The
 * FPU's is in an image of its own.
 *
 * Not in it: what the next instruction is shut off from by STI or MOV SS, whether an NMI is being
 * handled, and a single step that is due. Who stops a vCPU between two instructions to save it, as
 * Xen does, has no place for them.
 */
#ifndef CAISSON_VIRT_STATE_H
#define CAISSON_VIRT_STATE_H

#include "virt/start.h"
#include "virt/virt.h"

/* MSRs that the back end keeps, and whose values are only moved. */
enum virt_state_msr {
    STATE_STAR,
    STATE_LSTAR,
    STATE_CSTAR,
    STATE_FMASK,
    STATE_KERNEL_GS_BASE,
    STATE_TSC_AUX,
    STATE_SYSENTER_CS,
    STATE_SYSENTER_ESP,
    STATE_SYSENTER_EIP,
    STATE_PAT,
    STATE_DEBUGCTL,
    STATE_MSRS
};

/* What nobody but a back end touches. */
struct virt_hidden {
    struct segment idt; /* base and limit */
    uint64_t cr2, dr6, dr7;
};

/* What is not in struct virt_start. */
struct virt_rest {
    uint64_t gpr[GPR_COUNT - GPR_R8]; /* from R8 on */
    struct segment gdt;
    struct virt_hidden hidden;
    uint64_t dr[4];
    uint64_t msr[STATE_MSRS];
    uint64_t spec_ctrl;   /* IA32_SPEC_CTRL; 0 if it has none */
    struct event pending; /* it is to be delivered */
};

/* All of it, of a loaded vCPU. An event that an instruction has raised by itself is left out: the
 * instruction will be executed again. */
void virt_state_get(struct virt_vcpu *v, struct virt_start *start, struct virt_rest *rest);
/* Puts all of it into a vCPU that is loaded and reset. -EINVAL if a CPU would not take some of it
 * that is checked by software; whatever else is wrong the next entry says. */
int must_check virt_state_put(struct virt_vcpu *v, const struct virt_start *start,
                              const struct virt_rest *rest);

/* The back ends'. Take out of v, too, an event that was given and has not been taken. */
void virt_hidden_get(struct virt_vcpu *v, struct virt_hidden *out);
void virt_hidden_put(struct virt_vcpu *v, const struct virt_hidden *in);

#endif
