/*
 * Threads, cores and packages, from the bits of the APIC id; caches.
 *
 * Source: SDM volume 3, "Hierarchical Mapping of Shared Resources"; volume 2, CPUID leaves 4, 0x0B
 * and 0x1F.
 */
#include "arch/x86/topology.h"

#include <stdbool.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "lib/log.h"

#define LEVEL_SMT  1
#define LEVELS_MAX 8
#define CACHES_MAX 8

static unsigned smt_shift, package_shift; /* boot only */

/* How many bits numbers below n take. */
static unsigned bits_for(unsigned n)
{
    unsigned bits = 0;

    while (1u << bits < n)
        bits++;
    return bits;
}

/* Each level says by how much to shift to get at the next one. */
static bool read_levels(uint32_t leaf)
{
    if (cpuid(0, 0).eax < leaf || cpuid(leaf, 0).ebx == 0)
        return false;
    for (uint32_t level = 0; level < LEVELS_MAX; level++) {
        struct cpuid_regs r = cpuid(leaf, level);

        if ((r.ecx >> 8 & 0xFF) == 0)
            break;
        if ((r.ecx >> 8 & 0xFF) == LEVEL_SMT)
            smt_shift = r.eax & 0x1F;
        package_shift = r.eax & 0x1F;
    }
    return true;
}

/* As before there were such leaves: numbers of ids, rounded up. */
static void read_old_counts(void)
{
    struct cpuid_regs r = cpuid(1, 0);
    unsigned threads = r.edx & CPUID_1D_HTT ? r.ebx >> 16 & 0xFF : 1;
    unsigned cores = cpuid(0, 0).eax >= 4 ? (cpuid(4, 0).eax >> 26) + 1 : 1;

    package_shift = bits_for(threads ? threads : 1);
    smt_shift = package_shift > bits_for(cores) ? package_shift - bits_for(cores) : 0;
}

void topology_read(void)
{
    smt_shift = package_shift = 0;
    if (!read_levels(0x1F) && !read_levels(0x0B))
        read_old_counts();
}

uint32_t topology_core(uint32_t apic_id)
{
    return apic_id >> smt_shift;
}

uint32_t topology_package(uint32_t apic_id)
{
    return apic_id >> package_shift;
}

/* How many different values fn gives for the pCPUs that there are. */
static unsigned count_different(uint32_t (*fn)(uint32_t apic_id))
{
    unsigned n = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        bool seen = false;

        for (unsigned j = 0; j < i; j++)
            seen |= fn(percpu[i].apic_id) == fn(percpu[j].apic_id);
        n += !seen;
    }
    return n;
}

unsigned topology_cores(void)
{
    return count_different(topology_core);
}

static void report_cache(const struct cpuid_regs *r)
{
    static const char *const types[] = { "", " data", " code", "" };
    unsigned line = (r->ebx & 0xFFF) + 1, parts = (r->ebx >> 12 & 0x3FF) + 1;
    unsigned ways = (r->ebx >> 22) + 1;
    uint64_t bytes = (uint64_t)line * parts * ways * ((uint64_t)r->ecx + 1);

    log_info("report: cache: L%u%s, %lu KiB, %u ways, lines of %u, for %u thread(s) at most",
             r->eax >> 5 & 7, types[r->eax & 3], bytes >> 10, ways, line,
             (r->eax >> 14 & 0xFFF) + 1);
}

void topology_report(void)
{
    log_info("report: topology: %u package(s), %u core(s), %u thread(s)",
             count_different(topology_package), topology_cores(), cpu_count);
    if (cpuid(0, 0).eax < 4)
        return;
    for (uint32_t i = 0; i < CACHES_MAX; i++) {
        struct cpuid_regs r = cpuid(4, i);

        if ((r.eax & 0x1F) == 0)
            return;
        report_cache(&r);
    }
}
