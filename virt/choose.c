/*
 * Which back end stands behind virt/: VT-x unless the CPU is AMD's or has its virtualization.
 *
 * Each function of virt.h that a back end defines is a thunk: a jump to VT-x's one (virt/thunks
 * lists them, tools/mkthunks makes them). For AMD-V the jumps are turned once, before anything goes
 * through them and while Caisson's text can still be written.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/string.h"
#include "virt/virt.h"

#define THUNK_BYTES 5 /* JMP rel32 */

struct virt_caps virt_caps; /* boot only, then read */

extern uint8_t virt_thunks[];
extern const uint64_t virt_thunks_svm[];
extern const uint32_t virt_thunks_count;

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
    for (uint32_t i = 0; i < virt_thunks_count; i++) {
        uint8_t *thunk = virt_thunks + i * THUNK_BYTES;
        int32_t ahead = (int32_t)(virt_thunks_svm[i] - (uint64_t)(thunk + THUNK_BYTES));
        memcpy(thunk + 1, &ahead, sizeof(ahead));
    }
}
