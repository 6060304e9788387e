/*
 * Starting vCPUs. See guest/lib/vcpus.h. Source: xen/include/public/vcpu.h and hvm/hvm_vcpu.h.
 */
#include "guest/lib/vcpus.h"
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "include/public/hvm/hvm_vcpu.h"
#include "include/public/vcpu.h"

#define MSR_EFER 0xC0000080

void vcpu_entry(void); /* guest/lib/vcpu_entry.asm */

/* What vcpu_entry finds on its stack, from the top of which it takes it. */
struct begin {
    void *arg;
    void (*fn)(void *arg);
    uint64_t id, pad;
};

static uint64_t read_cr(unsigned n)
{
    uint64_t v;

    if (n == 0)
        asm volatile("mov %%cr0, %0" : "=r"(v));
    else if (n == 3)
        asm volatile("mov %%cr3, %0" : "=r"(v));
    else
        asm volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}

int64_t vcpu_begin(uint64_t id, void (*fn)(void *arg), void *arg, void *stack_top)
{
    struct begin *begin = (struct begin *)stack_top - 1;
    struct xen_vcpu_hvm_context c = { .mode = XEN_VCPU_HVM_MODE_64B };

    *begin = (struct begin){ .arg = arg, .fn = fn, .id = id };
    c.cpu_regs.x86_64 = (struct xen_vcpu_hvm_x86_64){ .rip = (uint64_t)vcpu_entry,
                                                      .rsp = (uint64_t)begin,
                                                      .cr0 = read_cr(0),
                                                      .cr3 = read_cr(3),
                                                      .cr4 = read_cr(4),
                                                      .efer = rdmsr(MSR_EFER) };
    int64_t err = hypercall(XEN_HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, id, (uint64_t)&c);
    return err ? err : hypercall(XEN_HYPERCALL_VCPU_OP, VCPUOP_UP, id, 0);
}

uint64_t vcpu_count(void)
{
    uint64_t n = 0;

    while (hypercall(XEN_HYPERCALL_VCPU_OP, VCPUOP_IS_UP, n, 0) >= 0)
        n++;
    return n;
}
