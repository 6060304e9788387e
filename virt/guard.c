/*
 * Between two domains' vCPUs on one pCPU. See virt/guard.h.
 */
#include "virt/guard.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spec.h"
#include "virt/virt.h"

/* guard.inc knows where these are. */
_Static_assert(offsetof(struct virt_vcpu, spec_ctrl) == 132, "guard.inc");
_Static_assert(offsetof(struct spec_switch, entry) == 0 && offsetof(struct spec_switch, exit) == 1,
               "guard.inc");
_Static_assert(offsetof(struct spec_switch, calls) == 2 &&
                   offsetof(struct spec_switch, history) == 3 &&
                   offsetof(struct spec_switch, ctrl) == 4,
               "guard.inc");
_Static_assert(SPEC_ENTRY_CTRL == 1 && SPEC_ENTRY_L1D == 2 && SPEC_ENTRY_VERW == 4, "guard.inc");
_Static_assert(SPEC_EXIT_CTRL == 1 && SPEC_EXIT_EACH == 2 && SPEC_EXIT_CLEAR == 4 &&
                   SPEC_EXIT_IBPB == 8,
               "guard.inc");

void virt_fill_return_stack(void); /* fill_return_stack.asm */

/* A vCPU that comes from elsewhere may be of a domain whose id another had before. */
void guard_load(const struct virt_vcpu *v)
{
    static uint16_t last_owner[MAX_PCPUS]; /* each pCPU its own entry */
    unsigned me = cpu_id();

    if (v->pcpu != me || last_owner[me] != v->owner_id) {
        wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
        virt_fill_return_stack();
    }
    last_owner[me] = v->owner_id;
}
