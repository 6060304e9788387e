/*
 * domctl(pointer) and sysctl(pointer): how the control domain's tools rule over domains and ask
 * about the machine. Numbers and layouts as in xen/include/public/domctl.h and sysctl.h.
 *
 * These two interfaces change with each version of Xen, and say which one they are: this is Xen
 * 4.17's. All layouts are the same for 32-bit and 64-bit callers.
 */
#ifndef CAISSON_PUBLIC_CONTROL_H
#define CAISSON_PUBLIC_CONTROL_H

#include <stdint.h>

#define XEN_DOMCTL_INTERFACE_VERSION 0x15
#define XEN_SYSCTL_INTERFACE_VERSION 0x15

/* One bit for each CPU, in the caller's memory. */
struct xen_ctl_bitmap {
    uint64_t bitmap; /* bytes, the lowest bits first */
    uint32_t nr_bits;
    uint32_t pad;
};

#define XEN_SCHEDULER_CREDIT2 6
#define XEN_SCHEDOP_PUTINFO   0
#define XEN_SCHEDOP_GETINFO   1

/* ---- domctl ---- */

#define XEN_DOMCTL_CREATEDOMAIN            1
#define XEN_DOMCTL_DESTROYDOMAIN           2
#define XEN_DOMCTL_PAUSEDOMAIN             3
#define XEN_DOMCTL_UNPAUSEDOMAIN           4
#define XEN_DOMCTL_GETDOMAININFO           5
#define XEN_DOMCTL_SETVCPUAFFINITY         9
#define XEN_DOMCTL_SHADOW_OP               10
#define XEN_DOMCTL_MAX_MEM                 11
#define XEN_DOMCTL_SETVCPUCONTEXT          12
#define XEN_DOMCTL_GETVCPUCONTEXT          13
#define XEN_DOMCTL_GETVCPUINFO             14
#define XEN_DOMCTL_MAX_VCPUS               15
#define XEN_DOMCTL_SCHEDULER_OP            16
#define XEN_DOMCTL_GETVCPUAFFINITY         25
#define XEN_DOMCTL_RESUMEDOMAIN            27
#define XEN_DOMCTL_SUBSCRIBE               29
#define XEN_DOMCTL_GETHVMCONTEXT           33
#define XEN_DOMCTL_SETHVMCONTEXT           34
#define XEN_DOMCTL_GETTSCINFO              59
#define XEN_DOMCTL_SETTSCINFO              60
#define XEN_DOMCTL_GETPAGEFRAMEINFO3       61
#define XEN_DOMCTL_SETNODEAFFINITY         68
#define XEN_DOMCTL_GET_CPU_POLICY          82
#define XEN_DOMCTL_SET_CPU_POLICY          83
#define XEN_DOMCTL_SET_PAGING_MEMPOOL_SIZE 86

#define XEN_DOMINF_DYING          (1u << 0)
#define XEN_DOMINF_HVM_GUEST      (1u << 1)
#define XEN_DOMINF_SHUTDOWN       (1u << 2)
#define XEN_DOMINF_PAUSED         (1u << 3)
#define XEN_DOMINF_BLOCKED        (1u << 4)
#define XEN_DOMINF_RUNNING        (1u << 5)
#define XEN_DOMINF_HAP            (1u << 8)
#define XEN_DOMINF_SHUTDOWN_SHIFT 16 /* its reason, XEN_SHUTDOWN_* */

#define XEN_X86_EMU_LAPIC 1u

#define XEN_DOMCTL_CDF_HVM     (1u << 0)
#define XEN_DOMCTL_CDF_HAP     (1u << 1)
#define XEN_DOMCTL_CDF_OOS_OFF (1u << 3) /* of shadow page tables: says nothing here */

/* Its id is the structure's own: 0 or a reserved one asks for a new one, which comes back there. */
struct xen_domctl_createdomain {
    uint32_t ssidref;
    uint8_t handle[16];
    uint32_t flags; /* XEN_DOMCTL_CDF_* */
    uint32_t iommu_opts;
    uint32_t max_vcpus;
    uint32_t max_evtchn_port;
    int32_t max_grant_frames, max_maptrack_frames;
    uint32_t grant_opts; /* the version of grant tables */
    uint32_t vmtrace_size;
    uint32_t cpupool_id;
    uint32_t emulation_flags, misc_flags;
};
#define XEN_X86_MSR_RELAXED (1u << 0) /* of misc_flags */

struct xen_domctl_getdomaininfo {
    uint16_t domain;
    uint16_t pad1;
    uint32_t flags; /* XEN_DOMINF_* */
    uint64_t tot_pages, max_pages;
    uint64_t outstanding_pages, shr_pages, paged_pages;
    uint64_t shared_info_frame;
    uint64_t cpu_time; /* ns */
    uint32_t nr_online_vcpus;
    uint32_t max_vcpu_id;
    uint32_t ssidref;
    uint8_t handle[16];
    uint32_t cpupool;
    uint8_t gpaddr_bits;
    uint8_t pad2[7];
    uint32_t emulation_flags, misc_flags;
};

#define XEN_VCPUAFFINITY_HARD (1u << 0)
#define XEN_VCPUAFFINITY_SOFT (1u << 1)

struct xen_domctl_vcpuaffinity {
    uint32_t vcpu;
    uint32_t flags; /* XEN_VCPUAFFINITY_* */
    struct xen_ctl_bitmap hard, soft;
};

struct xen_domctl_max_mem {
    uint64_t max_memkb;
};

/* What the pages of a guest are; only those that are not page tables of a paravirtual one. */
#define XEN_PFINFO_MOST  1024 /* at a call */
#define XEN_PFINFO_NOTAB 0ul
#define XEN_PFINFO_XTAB  (0xful << 28) /* there is none */

struct xen_domctl_getpageframeinfo3 {
    uint64_t num;
    uint64_t array; /* of uint64_t: gfns; what they are takes their place */
};

#define XEN_SHADOW_OP_OFF             0
#define XEN_SHADOW_OP_ENABLE_LOGDIRTY 2
#define XEN_SHADOW_OP_CLEAN           11
#define XEN_SHADOW_OP_PEEK            12

struct xen_domctl_shadow_op {
    uint32_t op; /* XEN_SHADOW_OP_* */
    uint32_t mode;
    uint32_t mb;
    uint32_t pad;
    uint64_t dirty_bitmap;
    uint64_t pages;
    uint32_t fault_count, dirty_count;
};

struct xen_domctl_subscribe {
    uint32_t port; /* of that domain's: its event is sent when it suspends */
};

struct xen_domctl_getvcpuinfo {
    uint32_t vcpu;
    uint8_t online, blocked, running;
    uint8_t pad;
    uint64_t cpu_time; /* ns */
    uint32_t cpu;
};

struct xen_domctl_vcpucontext {
    uint32_t vcpu;
    uint32_t pad;
    uint64_t context; /* struct xen_vcpu_guest_context */
};

/* A vCPU as a paravirtual guest has it. Of any other its registers, at their place, tell
 * something; the rest is 0. */
#define XEN_VCPU_GUEST_CONTEXT_BYTES 5168
#define XEN_VCPU_GUEST_CONTEXT_REGS  520

struct xen_cpu_user_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint32_t error_code, entry_vector;
    uint64_t rip;
    uint64_t cs; /* a selector, as the others; and the mask of upcalls */
    uint64_t rflags, rsp;
    uint64_t ss, es, ds, fs, gs;
};

struct xen_domctl_max_vcpus {
    uint32_t max;
};

struct xen_domctl_hvmcontext {
    uint32_t size; /* bytes, of the buffer and of what is in it */
    uint32_t pad;
    uint64_t buffer; /* records of include/public/hvm/save.h; 0: how many bytes would it be? */
};

#define XEN_TSC_MODE_DEFAULT        0 /* native, if the TSC is as fast as it was */
#define XEN_TSC_MODE_ALWAYS_EMULATE 1
#define XEN_TSC_MODE_NEVER_EMULATE  2

struct xen_domctl_tsc_info {
    uint32_t tsc_mode;
    uint32_t gtsc_khz;
    uint32_t incarnation;
    uint32_t pad;
    uint64_t elapsed_nsec;
};

struct xen_domctl_nodeaffinity {
    struct xen_ctl_bitmap nodemap;
};

struct xen_domctl_cpu_policy {
    uint32_t nr_leaves, nr_msrs;             /* in the arrays, or there is room for */
    uint64_t leaves;                         /* of xen_cpuid_leaf */
    uint64_t msrs;                           /* of xen_msr_entry */
    uint32_t err_leaf, err_subleaf, err_msr; /* what a policy was refused for */
};

struct xen_domctl_paging_mempool {
    uint64_t size; /* bytes */
};

struct xen_domctl_scheduler_op {
    uint32_t sched_id; /* XEN_SCHEDULER_* */
    uint32_t cmd;      /* XEN_SCHEDOP_* */
    union {
        struct {
            uint16_t weight;
            uint16_t cap; /* percent of one CPU; 0: none */
        } credit2;
        uint64_t pad[2];
    } u;
};

struct xen_domctl {
    uint32_t cmd; /* XEN_DOMCTL_* */
    uint32_t interface_version;
    uint16_t domain;
    uint16_t pad[3];
    union {
        struct xen_domctl_createdomain createdomain;
        struct xen_domctl_getdomaininfo getdomaininfo;
        struct xen_domctl_vcpuaffinity vcpuaffinity;
        struct xen_domctl_max_mem max_mem;
        struct xen_domctl_getpageframeinfo3 getpageframeinfo3;
        struct xen_domctl_shadow_op shadow_op;
        struct xen_domctl_subscribe subscribe;
        struct xen_domctl_getvcpuinfo getvcpuinfo;
        struct xen_domctl_vcpucontext vcpucontext;
        struct xen_domctl_max_vcpus max_vcpus;
        struct xen_domctl_scheduler_op scheduler_op;
        struct xen_domctl_hvmcontext hvmcontext;
        struct xen_domctl_tsc_info tsc_info;
        struct xen_domctl_nodeaffinity nodeaffinity;
        struct xen_domctl_cpu_policy cpu_policy;
        struct xen_domctl_paging_mempool paging_mempool;
        uint8_t pad[128];
    } u;
};

/* ---- sysctl ---- */

#define XEN_SYSCTL_READCONSOLE       1
#define XEN_SYSCTL_PHYSINFO          3
#define XEN_SYSCTL_SCHED_ID          4
#define XEN_SYSCTL_GETDOMAININFOLIST 6
#define XEN_SYSCTL_DEBUG_KEYS        7
#define XEN_SYSCTL_GETCPUINFO        8
#define XEN_SYSCTL_AVAILHEAP         9
#define XEN_SYSCTL_CPUTOPOINFO       16
#define XEN_SYSCTL_NUMAINFO          17
#define XEN_SYSCTL_CPUPOOL_OP        18
#define XEN_SYSCTL_SCHEDULER_OP      19
#define XEN_SYSCTL_CPU_FEATURESET    26
#define XEN_SYSCTL_CPU_POLICY        29

#define XEN_SYSCTL_PHYSCAP_HVM       (1u << 0)
#define XEN_SYSCTL_PHYSCAP_HAP       (1u << 3)
#define XEN_SYSCTL_PHYSCAP_GNTTAB_V1 (1u << 8)

struct xen_sysctl_readconsole {
    uint8_t clear;       /* what is read now is not read again */
    uint8_t incremental; /* from index on, else from the oldest that is kept */
    uint8_t pad[2];
    uint32_t index; /* goes back: where to go on */
    uint64_t buffer;
    uint32_t count; /* bytes in the buffer; goes back: so many were written */
};

struct xen_sysctl_debug_keys {
    uint64_t keys; /* of char */
    uint32_t nr_keys;
};

struct xen_sysctl_physinfo {
    uint32_t threads_per_core, cores_per_socket;
    uint32_t nr_cpus, max_cpu_id;
    uint32_t nr_nodes, max_node_id;
    uint32_t cpu_khz;
    uint32_t capabilities; /* XEN_SYSCTL_PHYSCAP_* */
    uint32_t arch_capabilities;
    uint32_t pad;
    uint64_t total_pages, free_pages, scrub_pages, outstanding_pages;
    uint64_t max_mfn;
    uint32_t hw_cap[8]; /* registers of CPUID: 1 EDX, ECX; 80000001 EDX, ECX; D.1 EAX; 7 EBX, ECX;
                         * 80000007 EDX */
};

struct xen_sysctl_sched_id {
    uint32_t sched_id;
};

struct xen_sysctl_getdomaininfolist {
    uint16_t first_domain;
    uint16_t pad;
    uint32_t max_domains;
    uint64_t buffer; /* of xen_domctl_getdomaininfo */
    uint32_t num_domains;
};

struct xen_sysctl_cpuinfo {
    uint64_t idletime; /* ns */
};

struct xen_sysctl_getcpuinfo {
    uint32_t max_cpus;
    uint32_t pad;
    uint64_t info;    /* of xen_sysctl_cpuinfo */
    uint32_t nr_cpus; /* goes back: so many were written */
};

struct xen_sysctl_availheap {
    uint32_t min_bitwidth, max_bitwidth;
    int32_t node;
    uint32_t pad;
    uint64_t avail_bytes;
};

struct xen_sysctl_cputopo {
    uint32_t core, socket, node;
};

struct xen_sysctl_cputopoinfo {
    uint32_t num_cpus;
    uint32_t pad;
    uint64_t cputopo; /* of xen_sysctl_cputopo; 0: how many are there? */
};

struct xen_sysctl_meminfo {
    uint64_t memsize, memfree; /* bytes */
};

struct xen_sysctl_numainfo {
    uint32_t num_nodes;
    uint32_t pad;
    uint64_t meminfo;  /* of xen_sysctl_meminfo; 0: how many are there? */
    uint64_t distance; /* of uint32_t */
};

#define XEN_CPUPOOL_OP_INFO     3
#define XEN_CPUPOOL_OP_FREEINFO 7
#define XEN_CPUPOOL_OP_LAST     7

struct xen_sysctl_cpupool_op {
    uint32_t op; /* XEN_CPUPOOL_OP_* */
    uint32_t cpupool_id;
    uint32_t sched_id;
    uint32_t domid;
    uint32_t cpu;
    uint32_t n_dom;
    struct xen_ctl_bitmap cpumap;
};

struct xen_sysctl_scheduler_op {
    uint32_t cpupool_id;
    uint32_t sched_id; /* XEN_SCHEDULER_* */
    uint32_t cmd;      /* XEN_SCHEDOP_* */
    uint32_t pad;
    union {
        struct {
            uint32_t ratelimit_us;
        } credit2;
        uint64_t pad[2];
    } u;
};

#define XEN_CPU_FEATURESET_RAW     0
#define XEN_CPU_FEATURESET_HOST    1
#define XEN_CPU_FEATURESET_PV      2
#define XEN_CPU_FEATURESET_HVM     3
#define XEN_CPU_FEATURESET_PV_MAX  4
#define XEN_CPU_FEATURESET_HVM_MAX 5

struct xen_sysctl_cpu_featureset {
    uint32_t index; /* XEN_CPU_FEATURESET_* */
    uint32_t nr_features;
    uint64_t features; /* of uint32_t; 0: how many are there? */
};

#define XEN_CPU_POLICY_RAW         0
#define XEN_CPU_POLICY_HOST        1
#define XEN_CPU_POLICY_PV_MAX      2
#define XEN_CPU_POLICY_HVM_MAX     3
#define XEN_CPU_POLICY_PV_DEFAULT  4
#define XEN_CPU_POLICY_HVM_DEFAULT 5

struct xen_sysctl_cpu_policy {
    uint32_t index; /* XEN_CPU_POLICY_* */
    uint32_t nr_leaves, nr_msrs;
    uint32_t reserved;
    uint64_t leaves; /* of xen_cpuid_leaf; 0: how many are there at most? */
    uint64_t msrs;   /* of xen_msr_entry; the same */
};

struct xen_sysctl {
    uint32_t cmd; /* XEN_SYSCTL_* */
    uint32_t interface_version;
    union {
        struct xen_sysctl_readconsole readconsole;
        struct xen_sysctl_debug_keys debug_keys;
        struct xen_sysctl_physinfo physinfo;
        struct xen_sysctl_sched_id sched_id;
        struct xen_sysctl_getdomaininfolist getdomaininfolist;
        struct xen_sysctl_getcpuinfo getcpuinfo;
        struct xen_sysctl_availheap availheap;
        struct xen_sysctl_cputopoinfo cputopoinfo;
        struct xen_sysctl_numainfo numainfo;
        struct xen_sysctl_cpupool_op cpupool_op;
        struct xen_sysctl_scheduler_op scheduler_op;
        struct xen_sysctl_cpu_featureset cpu_featureset;
        struct xen_sysctl_cpu_policy cpu_policy;
        uint8_t pad[128];
    } u;
};

_Static_assert(sizeof(struct xen_domctl) == 144, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl, domain) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl, u) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_ctl_bitmap) == 16, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_ctl_bitmap, nr_bits) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_getdomaininfo) == 112, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getdomaininfo, flags) == 4, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getdomaininfo, tot_pages) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getdomaininfo, shared_info_frame) == 48,
               "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getdomaininfo, cpu_time) == 56, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getdomaininfo, nr_online_vcpus) == 64,
               "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getdomaininfo, handle) == 76, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getdomaininfo, cpupool) == 92, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getdomaininfo, gpaddr_bits) == 96, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getdomaininfo, emulation_flags) == 104,
               "as in Xen");
_Static_assert(sizeof(struct xen_domctl_vcpuaffinity) == 40, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_vcpuaffinity, hard) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_vcpuaffinity, soft) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_max_mem) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_getpageframeinfo3) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_shadow_op) == 40, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_shadow_op, dirty_bitmap) == 16, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_shadow_op, fault_count) == 32, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_getvcpuinfo) == 24, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getvcpuinfo, online) == 4, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getvcpuinfo, running) == 6, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getvcpuinfo, cpu_time) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_getvcpuinfo, cpu) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_vcpucontext) == 16, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_vcpucontext, context) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_cpu_user_regs) == 200, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_cpu_user_regs, rip) == 128, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_cpu_user_regs, rsp) == 152, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_scheduler_op) == 24, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_scheduler_op, u) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_createdomain) == 64, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_createdomain, flags) == 20, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_createdomain, max_vcpus) == 28, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_createdomain, grant_opts) == 44, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_createdomain, emulation_flags) == 56,
               "as in Xen");
_Static_assert(sizeof(struct xen_domctl_hvmcontext) == 16, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_hvmcontext, buffer) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_tsc_info) == 24, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_tsc_info, elapsed_nsec) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_nodeaffinity) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_cpu_policy) == 40, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_cpu_policy, leaves) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_domctl_cpu_policy, err_leaf) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_domctl_paging_mempool) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_cpu_featureset) == 16, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_cpu_featureset, features) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_cpu_policy) == 32, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_cpu_policy, leaves) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl) == 136, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl, u) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_readconsole) == 24, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_readconsole, index) == 4, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_readconsole, buffer) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_readconsole, count) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_debug_keys) == 16, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_debug_keys, nr_keys) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_physinfo) == 112, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_physinfo, capabilities) == 28, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_physinfo, total_pages) == 40, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_physinfo, max_mfn) == 72, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_physinfo, hw_cap) == 80, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_getdomaininfolist) == 24, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_getdomaininfolist, max_domains) == 4,
               "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_getdomaininfolist, buffer) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_getdomaininfolist, num_domains) == 16,
               "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_getcpuinfo) == 24, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_getcpuinfo, info) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_getcpuinfo, nr_cpus) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_availheap) == 24, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_availheap, avail_bytes) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_cputopo) == 12, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_cputopoinfo) == 16, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_cputopoinfo, cputopo) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_meminfo) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_numainfo) == 24, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_numainfo, meminfo) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_numainfo, distance) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_cpupool_op) == 40, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_cpupool_op, n_dom) == 20, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_cpupool_op, cpumap) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_sysctl_scheduler_op) == 32, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_scheduler_op, cmd) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_sysctl_scheduler_op, u) == 16, "as in Xen");

#endif
