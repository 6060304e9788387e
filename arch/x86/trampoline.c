/*
 * The temporary tables of the boot CPU, on loan to the others.
 */
#include "arch/x86/trampoline.h"

extern const uint8_t boot_pml4[], image_base[]; /* boot/entry.asm, linker.ld */
extern uint64_t image_phys_base;

uint64_t trampoline_temp_cr3(void)
{
    return image_phys_base + (uint64_t)(boot_pml4 - image_base);
}
