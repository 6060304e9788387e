/*
 * The first law, tried: a guest that does everything it should not. Every port read and written in
 * every width, every MSR of the architectural ranges and many beyond, device memory that is not
 * there, instructions that CPUID hides, hypercalls without sense. It passes if it reaches its last
 * line: each thing was answered or faulted, and the hypervisor is still there.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"
#include "guest/torture/code.h"

/* Ports whose writing ends the guest or silences its console, as on hardware. */
static bool port_is_an_end(unsigned port)
{
    return (port >= 0x3F8 && port <= 0x3FF) || port == 0xCF9 || port == 0x64 || port == 0x92 ||
           (port >= 0x600 && port <= 0x60B) || (port >= 0xCF8 && port <= 0xCFC);
}

/* A wide access to byte devices reaches each of its ports. */
static bool covers_an_end(unsigned port)
{
    for (unsigned i = 0; i < 4; i++)
        if (port_is_an_end(port + i))
            return true;
    return false;
}

static void all_ports(void)
{
    uint32_t sum = 0;

    for (unsigned port = 0; port < 0x10000; port++) {
        if (covers_an_end(port))
            continue;
        sum += inb((uint16_t)port) + inw((uint16_t)port) + inl((uint16_t)port);
        outb((uint16_t)port, 0xff);
        outw((uint16_t)port, 0);
        outl((uint16_t)port, 0xa5a5a5a5);
    }
    print("torture: ports, sum %x\n", sum);
}

static void read_msr(void *arg)
{
    *(uint64_t *)arg = rdmsr((uint32_t) * (uint64_t *)arg);
}

struct msr_write {
    uint32_t msr;
    uint64_t value;
};

static void write_msr(void *arg)
{
    const struct msr_write *w = arg;

    wrmsr(w->msr, w->value);
}

/* MSRs that, written with nonsense that the CPU accepts, pull the rug out from under this code. */
static bool msr_is_needed(uint32_t msr)
{
    return msr == 0x1B || msr == 0xC0000080;
}

static void msr_range(uint32_t first, uint32_t count)
{
    unsigned readable = 0, writable = 0;

    for (uint32_t msr = first; msr < first + count; msr++) {
        uint64_t value = msr;
        if (trap_try(read_msr, &value) < 0)
            readable++;
        else
            value = 0;
        if (msr_is_needed(msr))
            continue;
        const uint64_t tries[] = { ~0ul, 0x8000000000000000, 0x0606060606060606, value };
        for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
            struct msr_write w = { msr, tries[i] };
            if (trap_try(write_msr, &w) < 0)
                writable++;
        }
    }
    print("torture: MSRs from %#x: %u read, %u writes taken\n", first, readable, writable);
}

static void all_msrs(void)
{
    msr_range(0, 0x2000);
    msr_range(0x40000000, 0x200);
    msr_range(0xC0000000, 0x200);
    msr_range(0xC0010000, 0x200);
    msr_range(0xFFFFFF00, 0xff);
}

#define HOLE ((volatile uint8_t *)0xD0000000) /* below 4 GiB, where this machine has nothing */

static void memory_forms(void *arg)
{
    volatile uint8_t *at = arg;
    uint64_t r = 0x1122334455667788;

    asm volatile("movb %b0, (%1); movw %w0, (%1); movl %k0, (%1); movq %0, (%1)"
                 :
                 : "r"(r), "r"(at));
    asm volatile("movzbl (%1), %k0; movzwl (%1), %k0; movslq (%1), %0" : "=r"(r) : "r"(at));
    asm volatile("movb $1, (%0); movw $2, (%0); movl $3, (%0)" : : "r"(at));
    asm volatile("xchgl %k0, (%1)" : "+r"(r) : "r"(at));
    asm volatile("orl $1, (%0); andl $2, (%0); xorl $4, (%0); addl $8, (%0); subl $9, (%0)"
                 :
                 : "r"(at)
                 : "cc");
    asm volatile("cmpl $1, (%0); testl $1, (%0)" : : "r"(at) : "cc");
    asm volatile("lock btsl $3, (%0); btrl $3, (%0); btcl $3, (%0); btl $3, (%0)"
                 :
                 : "r"(at)
                 : "cc");
    asm volatile("incl (%0); decl (%0); negl (%0); notl (%0)" : : "r"(at) : "cc");
    asm volatile("lock cmpxchgl %k0, (%1)" : : "r"(r), "r"(at) : "rax", "cc");
    uint64_t count = 600;
    void *to = (void *)at;
    asm volatile("rep stosb" : "+c"(count), "+D"(to) : "a"(0) : "memory");
    static uint8_t ram[64];
    count = sizeof(ram);
    to = ram;
    const void *from = (const void *)at;
    asm volatile("rep movsb" : "+c"(count), "+D"(to), "+S"(from) : : "memory");
}

static void execute_hole(void *arg)
{
    ((void (*)(void))arg)();
}

static void all_memory(void)
{
    static const uint64_t places[] = { 0xD0000000, 0xA0000, 0xFEC00000, 0xFEE00000, 0xFFFFFFF0 };

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        print("torture: memory forms at %#lx: trap %d\n", places[i],
              trap_try(memory_forms, (void *)places[i]));
    print("torture: executing nothing: trap %d\n", trap_try(execute_hole, (void *)HOLE));
}

#define TRY(name, code)                                                                            \
    static void try_##name(void *arg)                                                              \
    {                                                                                              \
        (void)arg;                                                                                 \
        asm volatile(code                                                                          \
                     :                                                                             \
                     : "a"(0), "c"(0), "d"(0), "b"(0), "D"(0x200000), "S"(0x200000)                \
                     : "memory");                                                                  \
    }
TRY(vmxon, "movl $0, (%%rdi); vmxon (%%rdi)")
TRY(vmlaunch, "vmlaunch")
TRY(vmclear, "vmclear (%%rdi)")
TRY(vmread, "vmread %%rax, %%rdx")
TRY(invept, "invept (%%rdi), %%rax")
TRY(monitor, "monitor")
TRY(mwait, "mwait")
TRY(getsec, ".byte 0x0f, 0x37")
TRY(xsetbv, "mov $0xff, %%eax; xsetbv")
TRY(rdpmc, "rdpmc")
TRY(wbinvd, "wbinvd")
TRY(invd, "invd")
TRY(rsm, "rsm")
TRY(encls, ".byte 0x0f, 0x01, 0xcf")
TRY(rdrand, "rdrand %%eax")
TRY(int3, "int3")
TRY(int1, ".byte 0xf1")
TRY(ud2, "ud2")
TRY(ltr, "mov $0x7ff8, %%eax; ltr %%ax")
TRY(cr0, "mov $0x20000001, %%eax; mov %%rax, %%cr0") /* NW without CD */
TRY(cr4, "mov $-1, %%rax; mov %%rax, %%cr4")
TRY(cr4_vmxe, "mov %%cr4, %%rax; or $0x2000, %%eax; mov %%rax, %%cr4")
TRY(cr3, "mov $-1, %%rax; mov %%rax, %%cr3")
TRY(cr8, "mov $16, %%eax; mov %%rax, %%cr8")
TRY(dr7, "mov $-1, %%rax; mov %%rax, %%dr7")
TRY(lmsw, "mov $0xf, %%eax; lmsw %%ax; clts")
TRY(ins, "mov $64, %%ecx; mov $0x71, %%edx; rep insb")
TRY(outs, "mov $64, %%ecx; mov $0x80, %%edx; rep outsb")
TRY(outs_hole, "mov $0xd0000000, %%rsi; mov $64, %%ecx; mov $0x71, %%edx; rep outsb")
TRY(pause, "pause")
TRY(int_n, "int $0xff")

static void instructions(void)
{
    static const struct {
        const char *name;
        void (*fn)(void *arg);
    } tries[] = {
        { "VMXON", try_vmxon },
        { "VMLAUNCH", try_vmlaunch },
        { "VMCLEAR", try_vmclear },
        { "VMREAD", try_vmread },
        { "INVEPT", try_invept },
        { "MONITOR", try_monitor },
        { "MWAIT", try_mwait },
        { "GETSEC", try_getsec },
        { "XSETBV", try_xsetbv },
        { "RDPMC", try_rdpmc },
        { "WBINVD", try_wbinvd },
        { "INVD", try_invd },
        { "RSM", try_rsm },
        { "ENCLS", try_encls },
        { "RDRAND", try_rdrand },
        { "INT3", try_int3 },
        { "INT1", try_int1 },
        { "UD2", try_ud2 },
        { "LTR", try_ltr },
        { "CR0", try_cr0 },
        { "CR4", try_cr4 },
        { "CR4.VMXE", try_cr4_vmxe },
        { "CR3", try_cr3 },
        { "CR8", try_cr8 },
        { "DR7", try_dr7 },
        { "LMSW", try_lmsw },
        { "INS", try_ins },
        { "OUTS", try_outs },
        { "OUTS hole", try_outs_hole },
        { "PAUSE", try_pause },
        { "INT n", try_int_n },
    };

    for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
        print("torture: %-10s trap %d\n", tries[i].name, trap_try(tries[i].fn, NULL));
}

/* Calls that, taken at their word, take the caller's own memory or CPU away, or write their answers
 * over it. guest/storm makes them, with care. */
static bool call_harms_caller(uint64_t nr)
{
    static const uint8_t harmful[] = {
        XEN_HYPERCALL_MEMORY_OP,  XEN_HYPERCALL_MULTICALL,        XEN_HYPERCALL_SET_TIMER_OP,
        XEN_HYPERCALL_CONSOLE_IO, XEN_HYPERCALL_GRANT_TABLE_OP,   XEN_HYPERCALL_VM_ASSIST,
        XEN_HYPERCALL_VCPU_OP,    XEN_HYPERCALL_EVENT_CHANNEL_OP, XEN_HYPERCALL_HVM_OP,
    };

    for (unsigned i = 0; i < sizeof(harmful); i++)
        if (harmful[i] == nr)
            return true;
    return false;
}

static void hypercalls(void)
{
    static const uint64_t values[] = { 0, 1, 4096, 0xD0000000, ~0ul, 0x8000000000000000, 0xFFFFF };
    const unsigned n = sizeof(values) / sizeof(values[0]);
    unsigned failed = 0;

    for (uint64_t nr = 0; nr < 64; nr++) {
        for (unsigned i = 0; i < n * n; i++) {
            uint64_t first = values[i % n], third = values[i / n];
            bool ends = nr == XEN_HYPERCALL_SCHED_OP && first == XEN_SCHED_BLOCK;
            if (!ends && !call_harms_caller(nr) && hypercall(nr, first, third, third) < 0)
                failed++;
        }
    }
    failed += hypercall(XEN_HYPERCALL_CONSOLE_IO, XEN_CONSOLE_WRITE, ~0ul, 0xD0000000) < 0;
    print("torture: hypercalls: %u refused\n", failed);
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    (void)boot_information;
    trap_init();
    changing_code();
    instructions();
    all_memory();
    hypercalls();
    all_ports();
    all_msrs();
    print("torture: survived\n");
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
