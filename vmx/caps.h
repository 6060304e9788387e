/*
 * What the CPU's VT-x offers, and what Caisson makes of it. For vmx/ alone; others see virt_caps.
 */
#ifndef CAISSON_VMX_CAPS_H
#define CAISSON_VMX_CAPS_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/errno.h"

enum control_word { CTL_PIN, CTL_PROC, CTL_PROC2, CTL_EXIT, CTL_ENTRY, CTL_COUNT };
extern const char *const control_word_name[CTL_COUNT];

/* Raw capabilities of one CPU. */
struct caps {
    uint32_t revision;             /* of the VMCS format */
    uint32_t must_be_1[CTL_COUNT]; /* SDM, "Reporting of VM-execution controls" ff. */
    uint32_t may_be_1[CTL_COUNT];
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t ept_vpid, misc, basic;
    uint32_t chosen[CTL_COUNT]; /* the settings with which a vCPU starts */
};
extern struct caps caps; /* the boot CPU's; read-only after virt_probe() */

/* Reads the capability MSRs of the calling CPU, chosen excepted. */
void caps_read(struct caps *out);
/* 0, or -ENODEV (logged) if the calling CPU cannot do what the boot CPU was chosen for. */
int must_check caps_compare(const struct caps *mine);

bool caps_has_invvpid_single(void);
bool caps_has_invept_single(void);

#endif
