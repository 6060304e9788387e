/*
 * The descriptor tables: a GDT and a TSS for each pCPU, one IDT for all.
 */
#ifndef CAISSON_ARCH_X86_DESC_H
#define CAISSON_ARCH_X86_DESC_H

#include <stdint.h>

#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_TSS  0x18

/* Stacks of their own for exceptions that come when the usual one cannot be trusted: tops. */
struct desc_stacks {
    void *double_fault, *nmi, *machine_check;
};

/*
 * Loads GDT, TSS and IDT on the calling pCPU. Without stacks (NULL) all exceptions run on the
 * current one: good only for the first moments of the boot CPU, which calls again with stacks
 * before the others come, since the IDT is shared. Keeps GS.
 */
void desc_init(const struct desc_stacks *stacks);

/* Where the calling pCPU's tables are, for the host state of a VMCS. */
uint64_t desc_gdt_base(void);
uint64_t desc_idt_base(void);
uint64_t desc_tss_base(void);

#endif
