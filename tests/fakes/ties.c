/*
 * Stand-ins for event channels and grants, for tests of the other hypercalls: there are none.
 */
#include "arch/x86/cpu.h"
#include "cpu/cpu_model.h"
#include "domain/domain.h"
#include "create/create.h"
#include "hypercall/hypercall.h"
#include "xen/evtchn.h"
#include "grant/foreign.h"
#include "grant/grant.h"
#include "mm/frame.h"

int64_t hypercall_event_channel_op(struct vcpu *v, uint64_t *args)
{
    (void)v;
    (void)args;
    return -ENOSYS;
}

int64_t hypercall_event_send(struct vcpu *v, uint64_t at)
{
    (void)v;
    return at == 0x1234 ? 0 : -ENOSYS;
}

/* Goes through a list of 24 bytes an element from this place on. */
int64_t hypercall_grant_table_op(struct vcpu *v, uint64_t *args)
{
    (void)v;
    if (args[1] != 0x1234 || args[2] != 3)
        return -ENOSYS;
    args[1] += 24;
    args[2]--;
    return HYPERCALL_CONTINUE;
}

int grant_table_frame(struct xen_domain *d, uint64_t index, mfn_t *out)
{
    (void)d;
    (void)index;
    (void)out;
    return -EINVAL;
}

int foreign_map(struct xen_domain *mine, struct xen_domain *other, gfn_t from, gfn_t to)
{
    (void)mine;
    (void)other;
    (void)from;
    (void)to;
    return -EINVAL;
}

int foreign_map_grants(struct xen_domain *mine, struct xen_domain *other, uint64_t frame, gfn_t to)
{
    return foreign_map(mine, other, gfn(frame), to);
}

bool foreign_detach(struct xen_domain *d)
{
    (void)d;
    return true;
}

struct xen_domain *xen_domain_get(uint16_t id)
{
    (void)id;
    return NULL;
}

void xen_domain_put(struct xen_domain *d)
{
    (void)d;
}

bool evtchn_detach(struct xen_domain *d)
{
    (void)d;
    return true;
}

bool grant_detach(struct xen_domain *d)
{
    (void)d;
    return true;
}

unsigned domain_e820(const struct domain *d, struct e820_entry out[E820_MOST])
{
    (void)d;
    out[0] = (struct e820_entry){ 0, 0xa0000, E820_RAM };
    out[1] = (struct e820_entry){ 0x100000, 0xf00000, E820_RAM };
    return 2;
}

uint64_t frame_table_size(void)
{
    return 0x10000;
}

uint64_t cpu_model_cr4_mask(void)
{
    return CR4_PAE | CR4_PSE | CR4_PGE | CR4_PCIDE;
}

uint8_t cpu_model_address_bits(void)
{
    return 40;
}

void xen_domain_hold(struct xen_domain *d)
{
    (void)d;
}
