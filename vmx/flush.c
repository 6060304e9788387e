/*
 * Forgetting cached translations: by EPT pointer and by VPID, and the numbering of VPIDs.
 *
 * A VPID that is given out again may still have translations cached on any pCPU; virt_load flushes
 * whenever a vCPU comes to a pCPU on which it was not last, so none of them is ever used.
 * Sources: SDM, "Caching Translation Information", "Invalidation of Cached Translations".
 */
#include "vmx/flush.h"

#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/likely.h"
#include "lib/limits.h"
#include "lib/spinlock.h"
#include "vmx/caps.h"
#include "virt/cr.h"
#include "virt/slat.h"
#include "vmx/insn.h"
#include "vmx/vcpu.h"
#include "virt/virt.h"

#define VPID_COUNT (MAX_DOMAINS * MAX_VCPUS + 1) /* number 0 is the host's own */
_Static_assert(VPID_COUNT <= 65536, "a VPID has 16 bits");

static struct spinlock lock = SPINLOCK_RANK("vpids", LOCK_VPIDS);
static uint64_t taken[BITMAP_WORDS(VPID_COUNT)]; /* under lock */

void virt_flush_slat(const struct slat *ept)
{
    struct vmx_inv_operand what = { .id = ept->pointer };
    if (!invept(caps_has_invept_single() ? INV_SINGLE : INV_ALL, &what))
        panic("INVEPT refused the EPT pointer 0x%lx", ept->pointer);
}

/* Without VPIDs each VM entry does it by itself. */
void virt_flush_vcpu(struct virt_vcpu *v)
{
    if (!vmx_of(v)->vpid)
        return;
    struct vmx_inv_operand what = { .id = vmx_of(v)->vpid };
    if (!invvpid(caps_has_invvpid_single() ? INV_SINGLE : INV_ALL, &what))
        panic("INVVPID refused the VPID %u", vmx_of(v)->vpid);
}

cold int flush_vpid_alloc(uint16_t *vpid)
{
    *vpid = 0;
    if (!virt_caps.vpid)
        return 0;
    spin_lock(&lock);
    uint64_t n = bitmap_next_clear(taken, VPID_COUNT, 1);
    if (n < VPID_COUNT)
        bitmap_set(taken, n);
    spin_unlock(&lock);
    if (n == VPID_COUNT)
        return -ENOSPC;
    *vpid = (uint16_t)n;
    return 0;
}

cold void flush_vpid_free(uint16_t vpid)
{
    if (!vpid)
        return;
    spin_lock(&lock);
    ASSERT(bitmap_test(taken, vpid));
    bitmap_clear(taken, vpid);
    spin_unlock(&lock);
}
