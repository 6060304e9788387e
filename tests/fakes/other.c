/*
 * A second domain for host tests. See tests/fakes/other.h.
 */
#include "tests/fakes/other.h"

#include <stdlib.h>
#include <string.h>
#include "grant/grant.h"
#include "lib/assert.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tests/fakes/guest.h"
#include "xen/evtchn.h"

struct domain other;
static struct vcpu vcpu;
static struct vlapic_page page;
static struct xen_shared_info shared;
static const struct vlapic_bus bus; /* nobody is told, nobody is reached */

static void must(int err)
{
    if (err)
        abort();
}

void other_start(const struct domain_config *config, struct sched_group *account)
{
    other = (struct domain){ .config = config,
                             .account = account,
                             .state = DOMAIN_PAUSED,
                             .bare = true,
                             .suspended = true,
                             .vcpus = { &vcpu } };
    other.xen = (struct xen_domain){ .id = OTHER_ID,
                                     .lock = &other.lock,
                                     .p2m = &other.p2m,
                                     .vcpu = { &vcpu.xen },
                                     .vcpu_count = 1,
                                     .shared = &shared };
    vcpu = (struct vcpu){ .domain = &other, .whole = true };
    vcpu.xen = (struct xen_vcpu){ .domain = &other.xen, .unit = &vcpu.unit };
    vlapic_init(&vcpu.lapic, 0, 1000000000, &bus, &page);
    moment_init(&vcpu.lapic_due);
    moment_init(&other.machine.due);
    must(p2m_init(&other.p2m, OTHER_ID));
    must(p2m_add_ram(&other.p2m, gfn(0), OTHER_FRAMES));
    other.p2m.log.on = true;
    must(evtchn_init(&other.xen));
}

void other_detach(void)
{
    while (!evtchn_detach(&guest.xen) || !evtchn_detach(&other.xen))
        ;
    while (!grant_detach(&guest.xen) || !grant_detach(&other.xen))
        ;
}

void other_stop(void)
{
    evtchn_destroy(&other.xen);
    if (other.xen.memory_map)
        heap_free_pages(other.xen.memory_map, 0, OTHER_ID);
    while (!p2m_destroy(&other.p2m))
        ;
    ASSERT(frame_count(OTHER_ID) == 0);
}
