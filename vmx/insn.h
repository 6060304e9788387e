/*
 * The VMX instructions, one inline function each. All answer true when they worked; why they did
 * not is in the VMCS field VM-instruction error (SDM, "Conventions"), if there is a current VMCS.
 * Host tests get the twin in tests/fakes/vmx/insn.h, which keeps the fields in an array.
 */
#ifndef CAISSON_VMX_INSN_H
#define CAISSON_VMX_INSN_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"

/* Operand of INVEPT (the EPTP) and INVVPID (the VPID, then a linear address). */
struct vmx_inv_operand {
    uint64_t id;
    uint64_t address;
};
enum vmx_inv_scope { INV_SINGLE = 1, INV_ALL = 2 };

static inline bool vmxon(maddr_t region)
{
    bool failed;
    asm volatile("vmxon %1" : "=@ccna"(failed) : "m"(region.v) : "memory");
    return !failed;
}

static inline void vmxoff(void)
{
    asm volatile("vmxoff" : : : "cc", "memory");
}

/* These two take the address where it stands: a copy would be an array to the stack's guard. */
static inline bool vmclear(const maddr_t *vmcs)
{
    bool failed;
    asm volatile("vmclear %1" : "=@ccna"(failed) : "m"(vmcs->v) : "memory");
    return !failed;
}

static inline bool vmptrld(const maddr_t *vmcs)
{
    bool failed;
    asm volatile("vmptrld %1" : "=@ccna"(failed) : "m"(vmcs->v) : "memory");
    return !failed;
}

/* These two are on the way of every exit: as a jump, the answer costs one instruction. */
static inline bool vmread(uint64_t field, uint64_t *value)
{
    asm goto("vmread %1, %0; jna %l2" : "=r"(*value) : "r"(field) : "cc", "memory" : failed);
    return true;
failed:
    return false;
}

static inline bool vmwrite(uint64_t field, uint64_t value)
{
    asm goto("vmwrite %0, %1; jna %l2" : : "r"(value), "r"(field) : "cc", "memory" : failed);
    return true;
failed:
    return false;
}

static inline bool invept(enum vmx_inv_scope scope, const struct vmx_inv_operand *what)
{
    bool failed;
    asm volatile("invept %1, %2" : "=@ccna"(failed) : "m"(*what), "r"((uint64_t)scope) : "memory");
    return !failed;
}

static inline bool invvpid(enum vmx_inv_scope scope, const struct vmx_inv_operand *what)
{
    bool failed;
    asm volatile("invvpid %1, %2" : "=@ccna"(failed) : "m"(*what), "r"((uint64_t)scope) : "memory");
    return !failed;
}

/* The machine's own NMI and #MC handlers, for an NMI or #MC that came as a VM exit. */
static inline void raise_nmi(void)
{
    asm volatile("int $2" : : : "memory");
}

static inline void raise_mc(void)
{
    asm volatile("int $18" : : : "memory");
}

#endif
