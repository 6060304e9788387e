/*
 * A domain's page and port for xenstore. See create/store.h.
 */
#include "create/store.h"
#include "grant/grant.h"
#include "xen/evtchn.h"
#include "xen/pv_console.h"

#define STORE_REF 1 /* include/public/grant_table.h: reserved for it */

/* The port is what may have to be looked for in several pieces, so it comes last. */
int store_build(struct domain *d)
{
    struct xen_domain *x = &d->xen;

    if (!d->config->store)
        return 0;
    int err = grant_reserve(x, STORE_REF, XEN_DOMID_CONTROL, gpa_to_gfn(gpa(PV_STORE_GPA)));
    if (err)
        return err;
    int port = evtchn_find_free(x);
    if (port < 0)
        return port;
    evtchn_take(x, (uint32_t)port, EVTCHN_UNBOUND, 0)->peer_id = XEN_DOMID_CONTROL;
    x->param[HVM_PARAM_STORE_EVTCHN] = (uint64_t)port;
    x->param[HVM_PARAM_STORE_PFN] = UINT64_MAX;
    return 0;
}
