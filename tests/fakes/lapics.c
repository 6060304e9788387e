/*
 * Local APICs for two domains. See tests/fakes/lapics.h.
 */
#include "tests/fakes/lapics.h"
#include "lib/assert.h"
#include "tests/fakes/pair.h"

static struct vlapic_page pages[PAIR_DOMAINS][PAIR_VCPUS];
static const struct vlapic_bus bus; /* nobody is told, nobody is reached */

void lapics_start(void)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++)
        for (unsigned n = 0; n < PAIR_VCPUS; n++) {
            struct vlapic *l = &pair[i].v[n].lapic;
            vlapic_init(l, 2 * n, 1000000000, &bus, &pages[i][n]);
            if (vlapic_msr_write(l, MSR_IA32_APICBASE, l->base | APICBASE_X2APIC, 0))
                panic("a local APIC refuses x2APIC mode");
        }
}
