/*
 * What a guest has of the registers against speculation, and that nothing of it is lost on the way
 * through the hypervisor: `keep=N` is the value of IA32_SPEC_CTRL, over `rounds=N` exits. Two of
 * them on one pCPU have it switched between them. It also says what an exit takes.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/start_info.h"
#include "guest/lib/trap.h"

#define MSR_SPEC_CTRL         0x048
#define MSR_PRED_CMD          0x049
#define MSR_ARCH_CAPABILITIES 0x10A
#define MSR_FLUSH_CMD         0x10B

#define HAS_CTRL  (1u << 26)
#define HAS_FLUSH (1u << 28)
#define HAS_CAPS  (1u << 29)
#define NEVER     0u
#define AMD_CTRL  (1u << 14) /* of leaf 80000008, EBX: as HAS_CTRL */
#define VECTOR_GP 13

#define SETTLE_TICKS 3000000
#define MEASURED     1000

static unsigned right, all;

static void check(bool ok, const char *what, uint64_t more)
{
    all++;
    right += ok;
    if (!ok)
        print("spec: wrong: %s (%lx)\n", what, more);
}

struct access {
    uint32_t msr;
    bool write;
    uint64_t value;
};

static void try_access(void *arg)
{
    struct access *a = arg;

    if (a->write)
        wrmsr(a->msr, a->value);
    else
        a->value = rdmsr(a->msr);
}

/* As CPUID leaf 7 tells in EDX. AMD's CPUs tell of IA32_SPEC_CTRL and IA32_PRED_CMD elsewhere. */
static uint32_t features(void)
{
    uint32_t r[4], edx;

    cpuid(7, 0, r);
    edx = r[3];
    cpuid(0x80000000, 0, r);
    if (r[0] >= 0x80000008) {
        cpuid(0x80000008, 0, r);
        edx |= r[1] & AMD_CTRL ? HAS_CTRL : 0;
    }
    return edx;
}

/* Each register is there if CPUID says so, and takes what it should. */
static void check_registers(uint32_t edx)
{
    static const struct {
        struct access access;
        uint32_t needs;
        const char *what;
    } rows[] = {
        { { MSR_SPEC_CTRL, false, 0 }, HAS_CTRL, "read IA32_SPEC_CTRL" },
        { { MSR_SPEC_CTRL, true, 1 }, HAS_CTRL, "write IA32_SPEC_CTRL" },
        { { MSR_SPEC_CTRL, true, 1ul << 40 }, NEVER, "reserved bits of IA32_SPEC_CTRL" },
        { { MSR_PRED_CMD, false, 0 }, NEVER, "read IA32_PRED_CMD" },
        { { MSR_PRED_CMD, true, 1 }, HAS_CTRL, "write IA32_PRED_CMD" },
        { { MSR_FLUSH_CMD, false, 0 }, NEVER, "read IA32_FLUSH_CMD" },
        { { MSR_FLUSH_CMD, true, 1 }, HAS_FLUSH, "write IA32_FLUSH_CMD" },
        { { MSR_ARCH_CAPABILITIES, false, 0 }, HAS_CAPS, "read IA32_ARCH_CAPABILITIES" },
        { { MSR_ARCH_CAPABILITIES, true, 0 }, NEVER, "write IA32_ARCH_CAPABILITIES" },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct access a = rows[i].access;
        int vector = trap_try(try_access, &a);
        check(vector == (edx & rows[i].needs ? -1 : VECTOR_GP), rows[i].what, (uint64_t)vector);
    }
}

/* An exit in the middle of so many calls: all of them return to where they came from. */
static __attribute__((noinline)) unsigned deep(unsigned n)
{
    uint32_t r[4];

    if (!n)
        cpuid(0, 0, r);
    return n ? deep(n - 1) + 1 : 0;
}

/* The registers that CPUID leaves alone, over its exit. */
static bool registers_stay(uint64_t seed)
{
    uint64_t changed = 0;

    asm volatile(
        "mov %[s], %%rsi; lea 1(%[s]), %%rdi; lea 2(%[s]), %%r8; lea 3(%[s]), %%r9\n\t"
        "lea 4(%[s]), %%r10; lea 5(%[s]), %%r11; lea 6(%[s]), %%r12; lea 7(%[s]), %%r13\n\t"
        "lea 8(%[s]), %%r14; xor %%eax, %%eax; cpuid\n\t"
        "sub %[s], %%rsi; sub %[s], %%rdi; sub %[s], %%r8; sub %[s], %%r9; sub %[s], %%r10\n\t"
        "sub %[s], %%r11; sub %[s], %%r12; sub %[s], %%r13; sub %[s], %%r14\n\t"
        "lea -1(%%rdi), %%rdi; lea -2(%%r8), %%r8; lea -3(%%r9), %%r9; lea -4(%%r10), %%r10\n\t"
        "lea -5(%%r11), %%r11; lea -6(%%r12), %%r12; lea -7(%%r13), %%r13; lea -8(%%r14), %%r14\n\t"
        "or %%rdi, %%rsi; or %%r8, %%rsi; or %%r9, %%rsi; or %%r10, %%rsi; or %%r11, %%rsi\n\t"
        "or %%r12, %%rsi; or %%r13, %%rsi; or %%r14, %%rsi; mov %%rsi, %[c]"
        : [c] "+&r"(changed)
        : [s] "r"(seed)
        : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
          "cc");
    return !changed;
}

static void check_exits(bool has_ctrl, uint64_t keep, uint64_t rounds)
{
    unsigned lost = 0, changed = 0, astray = 0;

    if (has_ctrl)
        wrmsr(MSR_SPEC_CTRL, keep);
    for (uint64_t i = 0; i < rounds; i++) {
        changed += !registers_stay(i * 0x9e3779b97f4a7c15);
        astray += deep(40) != 40;
        lost += has_ctrl && rdmsr(MSR_SPEC_CTRL) != keep;
    }
    check(!changed, "registers after an exit", changed);
    check(!astray, "returns after an exit", astray);
    check(!lost, "IA32_SPEC_CTRL after an exit", lost);
}

/* The least that one exit takes: no interrupt came in the middle. */
static uint64_t least(void)
{
    uint64_t found = UINT64_MAX;
    uint32_t r[4];

    for (unsigned i = 0; i < MEASURED; i++) {
        uint64_t from = rdtsc();
        cpuid(0, 0, r);
        uint64_t took = rdtsc() - from;
        found = took < found ? took : found;
    }
    return found;
}

/* Bochs counts time in instructions. The console is busy for a while with what was said before. */
static void measure(void)
{
    uint32_t r[4];
    uint64_t from = rdtsc();

    while (rdtsc() - from < SETTLE_TICKS)
        ;
    from = rdtsc();
    for (unsigned i = 0; i < MEASURED; i++)
        cpuid(0, 0, r);
    uint64_t tenths = (rdtsc() - from) * 10 / MEASURED;
    print("spec: an exit and back: %lu.%lu, %lu at least\n", tenths / 10, tenths % 10, least());
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    trap_init();
    measure();
    uint32_t edx = features();
    print("spec: CPUID 7, EDX %08x\n", edx);
    check_registers(edx);
    check_exits(edx & HAS_CTRL, start_number(boot_information, "keep", 1),
                start_number(boot_information, "rounds", 1000));
    if (edx & HAS_CAPS)
        print("spec: IA32_ARCH_CAPABILITIES %lx\n", rdmsr(MSR_ARCH_CAPABILITIES));
    print("spec: %u of %u as they should be\n", right, all);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
