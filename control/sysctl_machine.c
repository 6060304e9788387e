/*
 * What the control domain is told of the machine: its memory, its CPUs and how they belong
 * together.
 */
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/topology.h"
#include "arch/x86/tsc.h"
#include "control/control.h"
#include "control/sysctl.h"
#include "mm/frame.h"
#include "sched/sched.h"

#define LOCAL 10 /* the distance of a node from itself, as ACPI's SLIT has it */

/* pCPUs on the boot CPU's core, and cores in its package: the first of each core counts. */
static void count_threads(struct xen_sysctl_physinfo *out)
{
    uint32_t core = topology_core(percpu[0].apic_id), package = topology_package(percpu[0].apic_id);
    uint64_t seen = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        uint32_t of = topology_core(percpu[i].apic_id);

        out->threads_per_core += of == core;
        if (topology_package(percpu[i].apic_id) != package)
            continue;
        out->cores_per_socket += !(seen >> of % 64 & 1);
        seen |= 1ul << of % 64;
    }
}

/* In the order of the first interface that told them; tools print them, and ask for no bit. */
static void tell_features(uint32_t out[8])
{
    uint32_t most = cpuid(0, 0).eax, most_extended = cpuid(0x80000000, 0).eax;
    struct cpuid_regs r = cpuid(1, 0);

    out[0] = r.edx;
    out[1] = r.ecx;
    r = cpuid(0x80000001, 0);
    out[2] = r.edx;
    out[3] = r.ecx;
    if (most >= 0xd)
        out[4] = cpuid(0xd, 1).eax;
    if (most >= 7) {
        r = cpuid(7, 0);
        out[5] = r.ebx;
        out[6] = r.ecx;
    }
    if (most_extended >= 0x80000007)
        out[7] = cpuid(0x80000007, 0).edx;
}

int64_t sysctl_physinfo(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_physinfo *out = &op->u.physinfo;

    (void)v;
    *out = (struct xen_sysctl_physinfo){
        .nr_cpus = cpu_count,
        .max_cpu_id = cpu_count - 1,
        .nr_nodes = 1,
        .cpu_khz = (uint32_t)(tsc_hz / 1000),
        .capabilities =
            XEN_SYSCTL_PHYSCAP_HVM | XEN_SYSCTL_PHYSCAP_HAP | XEN_SYSCTL_PHYSCAP_GNTTAB_V1,
        .total_pages = frame_total(),
        .free_pages = frame_available(),
        .max_mfn = frame_table_size() - 1,
    };
    count_threads(out);
    tell_features(out->hw_cap);
    return 0;
}

/* How long each has run nobody since it takes part. Written in one go, as the next one's: a caller
 * that changes its page tables meanwhile makes each writing walk them anew. */
int64_t sysctl_getcpuinfo(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_getcpuinfo *arg = &op->u.getcpuinfo;
    uint32_t n = arg->max_cpus < cpu_count ? arg->max_cpus : cpu_count;
    struct xen_sysctl_cpuinfo of[MAX_PCPUS];

    for (uint32_t i = 0; i < n; i++)
        of[i] = (struct xen_sysctl_cpuinfo){ .idletime = tsc_to_ns(sched_idled(i)) };
    if (n && gva_copy_out(&v->space, arg->info, of, n * sizeof(of[0])))
        return -EFAULT;
    arg->nr_cpus = n;
    return 0;
}

/* How many there is an answer for; without a place for the answers, how many there are. */
int64_t sysctl_cputopoinfo(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_cputopoinfo *arg = &op->u.cputopoinfo;
    uint32_t n = arg->cputopo && arg->num_cpus < cpu_count ? arg->num_cpus : cpu_count;
    struct xen_sysctl_cputopo of[MAX_PCPUS];

    for (uint32_t i = 0; arg->cputopo && i < n; i++)
        of[i] = (struct xen_sysctl_cputopo){ .core = topology_core(percpu[i].apic_id),
                                             .socket = topology_package(percpu[i].apic_id) };
    if (arg->cputopo && n && gva_copy_out(&v->space, arg->cputopo, of, n * sizeof(of[0])))
        return -EFAULT;
    arg->num_cpus = n;
    return 0;
}

/* All memory is one node's. The same. */
int64_t sysctl_numainfo(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_numainfo *arg = &op->u.numainfo;
    const struct xen_sysctl_meminfo memory = { .memsize = frame_total() << PAGE_SHIFT,
                                               .memfree = frame_available() << PAGE_SHIFT };
    const uint32_t distance = LOCAL;

    if (arg->num_nodes && arg->meminfo &&
        gva_copy_out(&v->space, arg->meminfo, &memory, sizeof(memory)))
        return -EFAULT;
    if (arg->num_nodes && arg->distance &&
        gva_copy_out(&v->space, arg->distance, &distance, sizeof(distance)))
        return -EFAULT;
    arg->num_nodes = (arg->meminfo || arg->distance) && !arg->num_nodes ? 0 : 1;
    return 0;
}
