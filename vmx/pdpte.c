/*
 * The four page-directory-pointer-table entries of PAE paging.
 *
 * The CPU keeps them in registers and reads memory only when CR3 is loaded or the paging mode
 * changes. Where such a change exits, that reading is ours to do: of memory only. A device that the
 * guest has could answer with a machine check, and that would be Caisson's own.
 * Sources: SDM, "PDPTE Registers"; "Guest Page-Directory-Pointer-Table Entries".
 */
#include "arch/x86/cpu.h"
#include "lib/addr.h"
#include "virt/cr.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

#define PDPTE_COUNT   4
#define PDPTE_PRESENT 1UL
#define CR3_PAE_MASK  0xFFFFFFE0UL

static bool is_valid(uint64_t pdpte)
{
    uint64_t reserved = 0x1E6UL | ~0UL << cpu_maddr_bits();
    return !(pdpte & PDPTE_PRESENT) || !(pdpte & reserved);
}

int virt_load_pdptes(struct virt_vcpu *v, uint64_t cr3)
{
    gpa_t table = gpa(cr3 & CR3_PAE_MASK);
    uint64_t pdpte[PDPTE_COUNT];

    if (virt_read(v, table, pdpte, sizeof(pdpte)))
        return -EINVAL; /* nothing there reads as all ones, which has reserved bits set */
    for (unsigned i = 0; i < PDPTE_COUNT; i++)
        if (!is_valid(pdpte[i]))
            return -EINVAL;
    for (unsigned i = 0; i < PDPTE_COUNT; i++)
        vmcs_write(vmcs_nth(VMCS_G_PDPTE0, i), pdpte[i]);
    return 0;
}
