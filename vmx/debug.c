/*
 * Debug registers and debug exceptions, and stepping over an instruction that was emulated.
 *
 * #DB and #AC are intercepted because a guest can make their delivery raise themselves, for ever
 * and within one instruction, which would lock up the pCPU (CVE-2015-5307, CVE-2015-8104). They
 * are given back to the guest unchanged; the exit in between is the point.
 * Sources: SDM, "Debug Registers", "Guest Non-Register State" (pending debug exceptions),
 * "Exit Qualification for Debug Exceptions".
 */
#include "vmx/debug.h"

#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/event.h"
#include "vmx/skip.h"
#include "vmx/vmcs.h"
#include "arch/x86/msr.h"
#include "virt/virt.h"

#define DR6_RTM (1UL << 16) /* in DR6 the sense of this bit is inverted */
#define SHADOWS ((uint64_t)(SHADOW_STI | SHADOW_MOV_SS))

void debug_before_db(uint64_t qualification)
{
    uint64_t dr6 = read_dr6() & ~DR6_BREAKPOINTS;
    dr6 |= (qualification & (DR6_BREAKPOINTS | DR6_BD | DR6_BS | DR6_BT)) | DR6_RTM;
    if (qualification & DR6_RTM)
        dr6 &= ~DR6_RTM;
    write_dr6(dr6);
    vmcs_write(VMCS_G_DR7, vmcs_read(VMCS_G_DR7) & ~DR7_GD);
}

uint64_t virt_dr7(const struct virt_vcpu *v)
{
    (void)v;
    return vmcs_read(VMCS_G_DR7);
}

/* This CPU knows no lesser exit than that of each MOV from or to a debug register. */
void virt_watch_dr7(struct virt_vcpu *v, bool watch)
{
    event_window(v, PROC_MOV_DR_EXIT, watch);
}

/* As an event, not in the field of pending debug exceptions: that would be lost over an interrupt
 * that is injected meanwhile. */
void virt_debug_trap(struct virt_vcpu *v, uint32_t met)
{
    debug_before_db(met | (vmcs_read(VMCS_G_PENDING_DEBUG) & PENDING_DEBUG_BS));
    vmcs_write(VMCS_G_PENDING_DEBUG, 0);
    v->pending = (struct event){ .valid = true, .vector = VECTOR_DB, .type = EVENT_EXCEPTION };
}

/* In a shadow with TF set, BS must be pending, else not (SDM, "Checks on Guest Non-Register
 * State"). Hardware keeps to it by itself; a #DB exit, however, has cleared the field. */
void debug_sync_pending(void)
{
    if (!(vmcs_read(VMCS_G_INTERRUPTIBILITY) & SHADOWS))
        return;
    bool steps =
        (vmcs_read(VMCS_G_RFLAGS) & RFLAGS_TF) && !(vmcs_read(VMCS_G_DEBUGCTL) & DEBUGCTL_BTF);
    uint64_t pending = vmcs_read(VMCS_G_PENDING_DEBUG) & ~(uint64_t)PENDING_DEBUG_BS;
    vmcs_write(VMCS_G_PENDING_DEBUG, pending | (steps ? PENDING_DEBUG_BS : 0));
}

void skip_flags(uint64_t rflags)
{
    vmcs_write(VMCS_G_RFLAGS, rflags & ~RFLAGS_RF);
    if ((rflags & RFLAGS_TF) && !(vmcs_read(VMCS_G_DEBUGCTL) & DEBUGCTL_BTF))
        vmcs_write(VMCS_G_PENDING_DEBUG, vmcs_read(VMCS_G_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

/* IP running over 0xFFFF is the segment limit's affair: the next fetch raises #GP there, as on
 * hardware. */
uint64_t skip_wrapped(uint64_t rip)
{
    return cr_in_64bit_code() ? rip : (uint32_t)rip;
}
