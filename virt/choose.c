/*
 * Which back end stands behind virt/: VT-x unless the CPU is AMD's or has its virtualization.
 *
 * Each function that a back end defines (virt/interface lists them) is in the image
 * twice, as vmx_NAME and svm_NAME, and who says virt_NAME calls VT-x's, so that it costs nothing
 * there. For AMD-V a jump to svm_NAME is written over the first bytes of each vmx_NAME, once,
 * before anything calls them and while Caisson's text can still be written.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/string.h"
#include "virt/virt.h"

#define JUMP       0xE9 /* by a distance of 32 bits from its end */
#define JUMP_BYTES 5

struct virt_caps virt_caps; /* boot only, then read */

extern const struct {
    uint8_t *vmx;
    const uint8_t *svm;
} virt_interface[];
extern const uint32_t virt_interface_count;

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
    for (uint32_t i = 0; i < virt_interface_count; i++) {
        uint8_t *at = virt_interface[i].vmx;
        int32_t ahead = (int32_t)(virt_interface[i].svm - (at + JUMP_BYTES));
        at[0] = JUMP;
        memcpy(at + 1, &ahead, sizeof(ahead));
    }
}
