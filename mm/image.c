/*
 * Where the image lies, from the linker's symbols (linker.ld) and the entry code.
 */
#include "mm/aspace.h"

extern const char text_start[], text_end[], rodata_start[], rodata_end[], data_start[], image_end[];
extern uint64_t image_phys_base;

struct aspace_image aspace_linked_image(void)
{
    return (struct aspace_image){
        .phys = maddr(image_phys_base),
        .text = (uintptr_t)text_start,
        .text_end = (uintptr_t)text_end,
        .rodata = (uintptr_t)rodata_start,
        .rodata_end = (uintptr_t)rodata_end,
        .data = (uintptr_t)data_start,
        .data_end = (uintptr_t)image_end,
    };
}
