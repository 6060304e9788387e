/*
 * Random code: the first law against what nobody thought of. Byte sequences from a seed, some of
 * them begun with instructions that exit, are executed in ring 0 and ring 3, in 64-bit, 32-bit and
 * 16-bit segments, with random registers and flags. Each ends by a fault, or by the timer. That the
 * guest itself ends, by whatever means, is well: only Caisson may not.
 *
 * The command line: seed=N rounds=N.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"

#define MBI_CMDLINE 16
#define ARENA_BYTES 4096
#define CODE_BYTES  64
#define RAM_BYTES   0x800000 /* mem=8M */

#define RFLAGS_RANDOM 0x254DD5ul /* CF PF AF ZF SF TF DF OF NT RF AC ID; IF is always on */
#define RFLAGS_IF     0x200ul

static uint8_t code[ARENA_BYTES] __attribute__((aligned(ARENA_BYTES)));
static uint8_t data[ARENA_BYTES] __attribute__((aligned(ARENA_BYTES)));
static uint8_t stack[ARENA_BYTES] __attribute__((aligned(ARENA_BYTES)));
static uint64_t state;
static bool calm;

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators"). */
static uint64_t random64(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717ul;
}

/* ---- Descriptors: flat code and data of each width and ring, and a TSS ---- */

enum { CODE64 = 1, DATA0, CODE64_USER, DATA3, CODE32, CODE32_USER, CODE16, CODE16_USER, TSS };

static struct {
    uint32_t reserved;
    uint64_t rsp[3], zero, ist[7], zero2;
    uint32_t bitmap_base;
} __attribute__((packed)) tss;

static uint64_t gdt[] = {
    [CODE64] = 0x00AF9B000000FFFF,
    [DATA0] = 0x00CF93000000FFFF,
    [CODE64_USER] = 0x00AFFB000000FFFF,
    [DATA3] = 0x00CFF3000000FFFF,
    [CODE32] = 0x00CF9B000000FFFF,
    [CODE32_USER] = 0x00CFFB000000FFFF,
    [CODE16] = 0x008F9B000000FFFF,
    [CODE16_USER] = 0x008FFB000000FFFF,
    [TSS] = 0,
    [TSS + 1] = 0,
};

static uint8_t trap_stack[16384] __attribute__((aligned(16)));

static void descriptors(void)
{
    uint64_t at = (uint64_t)&tss, top = (uint64_t)(trap_stack + sizeof(trap_stack));
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(gdt) - 1, (uint64_t)gdt };

    tss.rsp[0] = tss.ist[0] = top;
    tss.bitmap_base = sizeof(tss) << 16;
    gdt[TSS] = (sizeof(tss) - 1) | (at & 0xFFFFFF) << 16 | 0x89ul << 40 | (at >> 24 & 0xFF) << 56;
    gdt[TSS + 1] = at >> 32;
    asm volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(TSS * 8));
}

/* ---- One sequence ---- */

#define DEADLY 9 /* the last of them: few guests live on after them. Calm ones do without */

/* What makes exits, or leads to where few have been. */
static const struct {
    uint8_t bytes[4];
    uint8_t count;
} openings[] = {
    { { 0x0F, 0xA2 }, 2 },             /* CPUID */
    { { 0x0F, 0x01, 0xC1 }, 3 },       /* VMCALL */
    { { 0x0F, 0x32 }, 2 },             /* RDMSR */
    { { 0x0F, 0x30 }, 2 },             /* WRMSR */
    { { 0x0F, 0x23, 0xC0 }, 3 },       /* MOV DR0, RAX */
    { { 0x0F, 0x23, 0xF8 }, 3 },       /* MOV DR7, RAX */
    { { 0x0F, 0x01, 0xD1 }, 3 },       /* XSETBV */
    { { 0xFB, 0xF4 }, 2 },             /* STI; HLT */
    { { 0xF3, 0x6C }, 2 },             /* REP INSB */
    { { 0xF3, 0x6F }, 2 },             /* REP OUTSD */
    { { 0xF3, 0xA4 }, 2 },             /* REP MOVSB */
    { { 0xF1 }, 1 },                   /* INT1 */
    { { 0xCD, 0x08 }, 2 },             /* INT 8 */
    { { 0x0F, 0x05 }, 2 },             /* SYSCALL */
    { { 0x0F, 0x34 }, 2 },             /* SYSENTER */
    { { 0x0F, 0xC7 }, 2 },             /* a group: CMPXCHG8B, XSAVES, VMPTRLD, RDRAND */
    { { 0x0F, 0xAE }, 2 },             /* a group: FXSAVE, XSAVE, CLFLUSH */
    { { 0x9D }, 1 },                   /* POPF */
    { { 0x0F, 0x22, 0xC0 }, 3 },       /* MOV CR0, RAX */
    { { 0x0F, 0x22, 0xD8 }, 3 },       /* MOV CR3, RAX */
    { { 0x0F, 0x22, 0xE0 }, 3 },       /* MOV CR4, RAX */
    { { 0x0F, 0x01, 0xF0 }, 3 },       /* LMSW AX */
    { { 0x8E, 0xD0 }, 2 },             /* MOV SS, AX */
    { { 0xCF }, 1 },                   /* IRET */
    { { 0x0F, 0x01 }, 2 },             /* a group: LGDT, LIDT, INVLPG, MONITOR */
    { { 0x0F, 0x00 }, 2 },             /* a group: LLDT, LTR, VERR */
    { { 0x44, 0x0F, 0x22, 0xC0 }, 4 }, /* MOV CR8, RAX; in 32 bits CR0 */
};

static void write_code(void)
{
    unsigned at = 0, most = sizeof(openings) / sizeof(openings[0]) - (calm ? DEADLY : 0);

    while (at < CODE_BYTES - 8) {
        uint64_t r = random64();
        if (r & 3) {
            unsigned n = (r >> 8) % most;
            for (unsigned i = 0; i < openings[n].count; i++)
                code[at++] = openings[n].bytes[i];
        }
        for (r >>= 32; r & 7; r >>= 3)
            code[at++ % CODE_BYTES] = (uint8_t)random64();
    }
    for (; at < ARENA_BYTES; at++)
        code[at] = 0xCC;
}

/* Values that mean something to someone, among those that do not. */
static uint64_t random_value(void)
{
    static const uint64_t known[] = { 0xFEE00000, 0xFEE00300, 0xFEE00380, 0xFEC00000,
                                      0xFEC00010, 0xD0000000, 0xA0000,    0x1B,
                                      0xC0000080, 0x6E0,      0x174,      0x80000011,
                                      0x11,       0x60,       0x406A0,    0x20000,
                                      0x70,       0x40,       0x42,       0xFFFFFFFFFF,
                                      0x830,      0x80B,      0x838,      0x800000000000 };
    uint64_t r = random64();

    switch (r & 7) {
    case 0:
        return random64();
    case 1:
        return (uint64_t)data + (r >> 8) % ARENA_BYTES;
    case 2:
    case 3:
    case 4:
        return known[(r >> 8) % (sizeof(known) / sizeof(known[0]))];
    default:
        return (r >> 8) & 0xFFF;
    }
}

/* ---- There and back ---- */

void fuzz_enter(const uint64_t *registers, const uint64_t *frame); /* run.asm */

static void *back[5];
static volatile bool inside; /* the random code runs */
static unsigned rounds, traps[32];

static struct {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed)) idt_pointer;

static void repair(void)
{
    gdt[TSS] = (gdt[TSS] & ~(0xFul << 40)) | 9ul << 40; /* not busy */
    asm volatile("mov %0, %%dr7; mov %0, %%cr8" : : "r"(0ul));
    asm volatile("lidt %0" : : "m"(idt_pointer));
    descriptors();
    asm volatile("mov %0, %%ss" : : "r"(DATA0 * 8));
    asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" : : "r"(0));
}

/* NMIs stay blocked until an IRET. */
static void unblock_nmi(void)
{
    asm volatile("mov %%rsp, %%rax; push %0; push %%rax; push $2; push %1; push $1f; iretq; 1:"
                 :
                 : "i"(DATA0 * 8), "i"(CODE64 * 8)
                 : "rax", "memory");
}

static void on_trap(struct trap *t)
{
    if (!inside && (t->vector == 2 || t->vector >= 32))
        return; /* the watchdog, too late */
    if (!inside)
        xen_shutdown(XEN_SHUTDOWN_CRASH);
    inside = false;
    traps[t->vector % 32]++;
    repair();
    __builtin_longjmp(back, 1);
}

/* Every vector has the trap stack, whatever RSP is. */
static void catch_all(void)
{
    trap_init();
    for (unsigned i = 0; i < 256; i++)
        trap_set((uint8_t)i, on_trap);
    asm volatile("sidt %0" : "=m"(idt_pointer));
    for (unsigned i = 0; i < 256; i++)
        ((uint8_t *)idt_pointer.base)[16 * i + 4] = 1;
}

/* The PIT through the I/O APIC as an NMI: it ends loops with IF=0 too. */
static void watchdog_connect(void)
{
    volatile uint32_t *select = (void *)0xFEC00000, *window = (void *)0xFEC00010;

    *select = 0x11 + 4;
    *window = 0;
    *select = 0x10 + 4;
    *window = 4 << 8;
}

static void watchdog(void)
{
    outb(0x43, 0x34);
    outb(0x40, 0);
    outb(0x40, 4);
}

/* Of the 4 GiB only what is RAM stays mapped: most instructions on device memory end the domain,
 * and there is more to be tried before. */
static void unmap_devices(void)
{
    uint64_t *root, *pointers, *directories;

    asm volatile("mov %%cr3, %0" : "=r"(root));
    pointers = (uint64_t *)(root[0] & ~0xFFFul);
    directories = (uint64_t *)(pointers[0] & ~0xFFFul); /* all four follow each other */
    for (unsigned i = RAM_BYTES >> 21; i < 4 * 512; i++)
        directories[i] = 0;
    asm volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

__attribute__((noinline)) static void one(void)
{
    static const uint8_t selectors[] = { CODE64,      CODE64_USER, CODE32,
                                         CODE32_USER, CODE16,      CODE16_USER };
    static uint64_t registers[15], frame[5];
    unsigned selector = selectors[random64() % sizeof(selectors)];
    bool user = selector == CODE64_USER || selector == CODE32_USER || selector == CODE16_USER;

    write_code();
    watchdog();
    for (unsigned i = 0; i < 15; i++)
        registers[i] = random_value();
    frame[0] = (uint64_t)code;
    frame[1] = selector * 8 | (user ? 3 : 0);
    frame[2] = (random64() & random64() & RFLAGS_RANDOM) | RFLAGS_IF | 2;
    frame[3] = (uint64_t)stack + ARENA_BYTES / 2;
    frame[4] = user ? DATA3 * 8 | 3 : DATA0 * 8;
    inside = true;
    if (__builtin_setjmp(back) == 0)
        fuzz_enter(registers, frame);
    unblock_nmi();
}

static uint64_t number(const char *line, const char *key)
{
    uint64_t n = 0;

    for (; *line; line++) {
        unsigned i = 0;
        while (key[i] && line[i] == key[i])
            i++;
        if (key[i])
            continue;
        for (line += i; *line >= '0' && *line <= '9'; line++)
            n = n * 10 + (unsigned)(*line - '0');
        return n;
    }
    return 0;
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    const char *line =
        (const char *)(uint64_t) * (const uint32_t *)((const char *)boot_information + MBI_CMDLINE);
    uint64_t seed = number(line, "seed="), wanted = number(line, "rounds=");

    state = (seed + 1) * 0x9E3779B97F4A7C15;
    calm = seed % 2;
    catch_all();
    descriptors();
    outb(0x21, 0xff);
    watchdog_connect();
    if (seed % 4)
        unmap_devices();
    for (rounds = 0; rounds < wanted; rounds++) {
        if (rounds % 256 == 0)
            print("fuzz: seed %lu, round %u\n", seed, rounds);
        one();
    }
    print("fuzz: seed %lu done:", seed);
    for (unsigned i = 0; i < 32; i++)
        print(" %u", traps[i]);
    print("\n");
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
