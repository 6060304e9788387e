/*
 * Why a VM entry failed, in words: the SDM's checks, done again in software.
 */
#ifndef CAISSON_VMX_CHECK_H
#define CAISSON_VMX_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include "vmx/vmcs.h"
#include "virt/check.h"

/* Each looks at the current VMCS and returns the first rule of the SDM that it breaks, with the
 * field's name, or NULL if none is found. The text is good until this pCPU's next call. */
const char *check_controls(void);
const char *check_host(void);
const char *check_guest(void);

/* For the checks themselves: "name (value): rule". */
const char *check_field(enum vmcs_field field, const char *rule);
bool check_is_maddr(uint64_t address, uint64_t alignment);
/* The first field of a list whose value is not canonical, as a text; or NULL. */
const char *check_all_canonical(const enum vmcs_field *fields, unsigned count);

/* One segment register of the guest (check_segment.c); NULL if all is well. */
const char *check_segment(unsigned seg);

#endif
