/*
 * Host tests' twin of the VMX instructions: one VMCS that is an array, always current.
 */
#ifndef CAISSON_VMX_INSN_H
#define CAISSON_VMX_INSN_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"

struct vmx_inv_operand {
    uint64_t id;
    uint64_t address;
};
enum vmx_inv_scope { INV_SINGLE = 1, INV_ALL = 2 };

#define FAKE_VMCS_FIELDS 0x7000

/* Weak, so that each test program has one of each without linking a file for it. */
__attribute__((weak)) uint64_t fake_vmcs[FAKE_VMCS_FIELDS];
__attribute__((weak)) uint64_t fake_vmcs_broken_field; /* accesses to it fail; 0: to none */
__attribute__((weak)) unsigned fake_invvpid_count, fake_invept_count;

static inline bool vmclear(const maddr_t *vmcs)
{
    (void)vmcs;
    return true;
}

static inline bool vmptrld(const maddr_t *vmcs)
{
    (void)vmcs;
    return true;
}

static inline bool vmread(uint64_t field, uint64_t *value)
{
    *value = fake_vmcs[field];
    return !fake_vmcs_broken_field || field != fake_vmcs_broken_field;
}

static inline bool vmwrite(uint64_t field, uint64_t value)
{
    fake_vmcs[field] = value;
    return !fake_vmcs_broken_field || field != fake_vmcs_broken_field;
}

static inline bool invept(enum vmx_inv_scope scope, const struct vmx_inv_operand *what)
{
    (void)scope;
    (void)what;
    fake_invept_count++;
    return true;
}

static inline void raise_nmi(void)
{
}

static inline void raise_mc(void)
{
}

static inline bool invvpid(enum vmx_inv_scope scope, const struct vmx_inv_operand *what)
{
    (void)scope;
    (void)what;
    fake_invvpid_count++;
    return true;
}

#endif
