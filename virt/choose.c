/*
 * Which back end stands behind virt/: VT-x unless the CPU is AMD's or has its virtualization.
 *
 * Each function of virt.h that a back end defines is a door: a jump to VT-x's one (virt/doors lists
 * them, tools/doors makes them). For AMD-V the jumps are turned once, before anything goes through
 * them and while Caisson's text can still be written.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/string.h"
#include "virt/virt.h"

#define DOOR_BYTES 5 /* JMP rel32 */

struct virt_caps virt_caps; /* boot only, then read */

extern uint8_t virt_doors[];
extern const uint64_t virt_doors_svm[];
extern const uint32_t virt_doors_count;

/* "AuthenticAMD" and "HygonGenuine" by their first four letters. */
static bool is_amd(void)
{
    uint32_t name = cpuid(0, 0).ebx;

    return name == 0x68747541 || name == 0x6F677948;
}

static bool has_svm(void)
{
    return cpuid(0x80000000, 0).eax >= 0x80000001 && (cpuid(0x80000001, 0).ecx & CPUID_EXT1C_SVM) &&
           !(cpuid(1, 0).ecx & CPUID_1C_VMX);
}

void virt_choose(void)
{
    if (!is_amd() && !has_svm())
        return;
    for (uint32_t i = 0; i < virt_doors_count; i++) {
        uint8_t *door = virt_doors + i * DOOR_BYTES;
        int32_t ahead = (int32_t)(virt_doors_svm[i] - (uint64_t)(door + DOOR_BYTES));
        memcpy(door + 1, &ahead, sizeof(ahead));
    }
}
