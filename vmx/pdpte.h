/*
 * The four page-directory-pointer-table entries of PAE paging.
 */
#ifndef CAISSON_VMX_PDPTE_H
#define CAISSON_VMX_PDPTE_H

#include <stdint.h>
#include "lib/errno.h"

struct virt_vcpu;

/* Reads them from guest memory as MOV to CR3 would; -EINVAL where that would be #GP. */
int must_check pdpte_load(struct virt_vcpu *v, uint64_t cr3);

#endif
