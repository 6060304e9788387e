/*
 * Instructions of all kinds on device memory and over the end of RAM at 640 KiB: what Caisson
 * carries out in a guest's place, looked at from inside. Whether each computes the right thing is
 * for host tests to say; here it is the way there and back: exits, the vCPU's registers, vectors
 * included.
 *
 * One line for each that goes wrong, then how many went right.
 */
#include "guest/devmem/steps.h"
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"

#define END     0xA0000ul    /* of RAM; behind it there is nothing */
#define COUNT   0xFEE00380ul /* the local APIC's initial count: 32 bits that keep what is written */
#define TEXT    0xB8000ul
#define PORT    0x80
#define PATTERN 0x8877665544332211ul
#define ONES    (~0ul)

#define CR0_NE      (1ul << 5)
#define CR4_OSFXSR  (1ul << 9)
#define CR4_OSXSAVE (1ul << 18)
#define HAS_XSAVE   (1u << 26)
#define HAS_AVX     (1u << 28)

static volatile uint64_t *const last = (volatile uint64_t *)(END - 8);
static volatile uint16_t *const last_two = (volatile uint16_t *)(END - 2);
static volatile uint8_t *const last_byte = (volatile uint8_t *)(END - 1);
static volatile uint32_t *const count = (volatile uint32_t *)COUNT;
static uint64_t vector[4], other[4];
static bool has_avx;

static void allow_vectors(void)
{
    uint64_t cr4;
    uint32_t r[4];

    cpuid(1, 0, r);
    has_avx = r[2] & HAS_XSAVE && r[2] & HAS_AVX;
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    cr4 |= CR4_OSFXSR | (has_avx ? CR4_OSXSAVE : 0);
    asm volatile("mov %0, %%cr4" : : "r"(cr4));
    if (has_avx)
        asm volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
}

/* As kernels have it: an exception of the x87's is one of the CPU's. */
static void allow_x87(void)
{
    uint64_t cr0;

    asm volatile("mov %%cr0, %0" : "=r"(cr0));
    asm volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_NE));
}

static void fill(void)
{
    for (unsigned i = 0; i < 4; i++) {
        vector[i] = PATTERN * (i + 1);
        other[i] = 0;
    }
    *last = 0;
    *count = 0x1000;
}

/* ---- Vectors ---- */

static bool movups_to_text(void)
{
    asm volatile("movups (%0), %%xmm1\n movups %%xmm1, (%1)" : : "r"(vector), "r"(TEXT) : "memory");
    return true;
}

static bool movups_store(void)
{
    asm volatile("movups (%0), %%xmm9\n movups %%xmm9, (%1)"
                 :
                 : "r"(vector), "r"(END - 8)
                 : "memory");
    return *last == vector[0];
}

/* The neighbours keep what they had. */
static bool movups_load(void)
{
    *last = PATTERN;
    asm volatile("movups (%0), %%xmm3\n movups (%1), %%xmm2\n movups %%xmm2, (%2)\n"
                 "movups %%xmm3, (%0)"
                 :
                 : "r"(vector), "r"(END - 8), "r"(other)
                 : "memory");
    return other[0] == PATTERN && other[1] == ONES && vector[0] == PATTERN &&
           vector[1] == PATTERN * 2;
}

/* What is above is kept without VEX, and becomes zero with it. */
static bool upper_halves(void)
{
    if (!has_avx)
        return true;
    *last = PATTERN;
    asm volatile("vmovdqu (%0), %%ymm5\n vmovdqu (%0), %%ymm6\n"
                 "movups (%1), %%xmm5\n vmovups (%1), %%xmm6\n"
                 "vmovdqu %%ymm5, (%0)\n vmovdqu %%ymm6, (%2)"
                 :
                 : "r"(vector), "r"(END - 8), "r"(other)
                 : "memory");
    return vector[1] == ONES && vector[2] == PATTERN * 3 && vector[3] == PATTERN * 4 &&
           other[0] == PATTERN && other[1] == ONES && other[2] == 0 && other[3] == 0;
}

static bool vmovdqu_store(void)
{
    if (!has_avx)
        return true;
    asm volatile("vmovdqu (%0), %%ymm14\n vmovdqu %%ymm14, (%1)"
                 :
                 : "r"(vector), "r"(END - 8)
                 : "memory");
    return *last == vector[0];
}

static bool vmovdqu_load(void)
{
    if (!has_avx)
        return true;
    *last = PATTERN;
    asm volatile("vmovdqu (%0), %%ymm15\n vmovdqu %%ymm15, (%1)"
                 :
                 : "r"(END - 8), "r"(other)
                 : "memory");
    return other[0] == PATTERN && other[1] == ONES && other[2] == ONES && other[3] == ONES;
}

static bool movd_movss(void)
{
    asm volatile("movd %1, %%xmm7\n movss %%xmm7, (%0)\n movd (%0), %%xmm8\n movq %%xmm8, (%2)"
                 :
                 : "r"(COUNT), "r"(0x12345u), "r"(other)
                 : "memory");
    return *count == 0x12345 && other[0] == 0x12345;
}

static bool movhps(void)
{
    *last = PATTERN;
    asm volatile("movups (%0), %%xmm4\n movhps (%1), %%xmm4\n movups %%xmm4, (%0)"
                 :
                 : "r"(vector), "r"(END - 4)
                 : "memory");
    return vector[0] == PATTERN && vector[1] == (0xffffffff00000000 | PATTERN >> 32);
}

static bool movnti(void)
{
    asm volatile("movnti %1, (%0)" : : "r"(COUNT), "r"(0x54321u) : "memory");
    return *count == 0x54321;
}

/* MM4 is MM4, wherever the x87's stack begins. */
static bool mmx(void)
{
    asm volatile("emms\n fld1\n fld1\n movq (%0), %%mm4\n emms\n fld1\n movq %%mm4, (%1)\n"
                 "movd (%2), %%mm5\n movq %%mm5, (%3)\n movq %%mm4, 8(%3)\n emms"
                 :
                 : "r"(vector), "r"(END - 8), "r"(COUNT), "r"(other)
                 : "memory");
    return *last == PATTERN && other[0] == 0x1000 && other[1] == PATTERN;
}

static bool clflush(void)
{
    asm volatile("clflush (%0)" : : "r"(COUNT) : "memory");
    return true;
}

/* ---- Integers ---- */

static bool adc_sbb(void)
{
    asm volatile("stc\n adcl $5, (%0)\n stc\n sbbl $1, (%0)" : : "r"(COUNT) : "cc", "memory");
    return *count == 0x1004;
}

/* The bit lies 128 bytes behind what the operand names. */
static bool bit_by_register(void)
{
    bool was, is;

    asm volatile("btcq %3, (%2)\n setc %0\n btq %3, (%2)\n setc %1"
                 : "=&q"(was), "=&q"(is)
                 : "r"(END - 136), "r"(128ul * 8 + 3)
                 : "cc", "memory");
    asm volatile("btsl %1, (%0)\n btrl %2, (%0)"
                 :
                 : "r"(COUNT - 0x80), "r"(0x80 * 8 + 1), "r"(0x80 * 8 + 12)
                 : "cc", "memory");
    return !was && is && *last == 8 && *count == 2;
}

static bool multiply_divide(void)
{
    uint32_t product, quotient, rest;

    asm volatile("imull $3, (%1), %0" : "=r"(product) : "r"(COUNT) : "cc", "memory");
    asm volatile("divl (%2)"
                 : "=a"(quotient), "=d"(rest)
                 : "r"(COUNT), "a"(0x5123), "d"(0)
                 : "cc", "memory");
    return product == 0x3000 && quotient == 5 && rest == 0x123;
}

static bool xadd_cmpxchg(void)
{
    uint32_t old = 7, expected = 0x1007;

    asm volatile("lock xaddl %0, (%1)" : "+r"(old) : "r"(COUNT) : "cc", "memory");
    asm volatile("lock cmpxchgl %2, (%1)"
                 : "+a"(expected)
                 : "r"(COUNT), "r"(0x77)
                 : "cc", "memory");
    return old == 0x1000 && expected == 0x1007 && *count == 0x77;
}

static bool shift_scan_move(void)
{
    uint32_t bit, moved = 0;

    asm volatile("shldl $4, %1, (%0)" : : "r"(COUNT), "r"(0xA0000000) : "cc", "memory");
    asm volatile("shrl (%1)\n bsfl (%1), %0" : "=r"(bit) : "r"(COUNT) : "cc", "memory");
    asm volatile("cmpl $0x8005, (%1)\n cmove (%1), %0" : "+r"(moved) : "r"(COUNT) : "cc", "memory");
    return bit == 0 && moved == 0x8005;
}

/* ---- x87 ---- */

static bool x87_moves(void)
{
    static const uint64_t one_and_a_half = 0x3ff8000000000000;

    *count = 7; /* FILD, FISTP */
    asm volatile("fninit\n fildl (%0)\n fldl %1\n fmulp\n fistpl (%0)"
                 :
                 : "r"(COUNT), "m"(one_and_a_half)
                 : "memory");
    if (*count != 10) /* 10.5, to the even one */
        return false;
    *last = one_and_a_half; /* of ten bytes, eight are in RAM */
    asm volatile("fldl (%0)\n fstpt (%0)" : : "r"(END - 8) : "memory");
    if (*last != 0xc000000000000000)
        return false;
    asm volatile("fnstcw (%0)" : : "r"(last_byte) : "memory");
    return *last_byte == 0x7f;
}

static volatile unsigned raised;

static void on_x87(struct trap *t)
{
    (void)t;
    raised++;
    asm volatile("fnclex");
}

/* A division by zero is raised by the next instruction that waits, before it does anything. */
static bool x87_pending(void)
{
    static const uint16_t unmasked = 0x37b;
    uint16_t status;

    raised = 0;
    asm volatile("fninit\n fldcw %1\n fldz\n fld1\n fdiv %%st(1), %%st\n fnstsw %0"
                 : "=a"(status)
                 : "m"(unmasked));
    asm volatile("fldl (%0)\n fninit" : : "r"(END - 4) : "memory");
    return status & 0x80 && raised == 1;
}

/* ---- Stack ---- */

static bool push_pop(void)
{
    asm volatile("pushq (%0)\n popq (%1)" : : "r"(END - 8), "r"(END - 4) : "memory");
    return true;
}

/* Four bytes of it are in RAM. */
static bool stack(void)
{
    uint64_t popped, returned;

    asm volatile("mov %%rsp, %%rbx\n mov %2, %%rsp\n push $0x1234\n mov -4(%2), %k1\n pop %0\n"
                 "call 1f\n 1: mov -8(%2), %%rax\n mov %%rbx, %%rsp"
                 : "=&r"(popped), "=&r"(returned)
                 : "r"(END + 4)
                 : "rax", "rbx", "memory");
    return popped == (ONES << 32 | 0x1234) && (uint32_t)(*last >> 32) > 0x100000;
}

/* ---- Segment registers ---- */

static bool selectors(void)
{
    uint16_t ds, es, machine_status;

    asm volatile("mov %%ds, %0\n mov %%ds, (%1)" : "=r"(ds) : "r"(last_byte) : "memory");
    if (*last_byte != (uint8_t)ds)
        return false;
    *count = ds;
    asm volatile("mov (%1), %%es\n mov %%es, %0" : "=r"(es) : "r"(COUNT) : "memory");
    asm volatile("smsw (%1)\n smsw %0" : "=r"(machine_status) : "r"(last_byte) : "memory");
    return es == ds && *last_byte == (uint8_t)machine_status;
}

/* By a table of descriptors of its own, which ends with a task's. */
static bool ltr(void)
{
    static uint64_t table[16];
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) old, new = { sizeof(table) - 1, (uint64_t)table };
    uint16_t task;

    asm volatile("sgdt %0" : "=m"(old));
    unsigned bytes = old.limit + 1u;
    for (unsigned i = 0; i < bytes / 8; i++)
        table[i] = ((const uint64_t *)old.base)[i];
    table[14] = 0x0000890000000067 | ((uint64_t)table & 0xffffff) << 16;
    *count = 14 * 8;
    asm volatile("lgdt %1\n ltr (%2)\n str %0" : "=r"(task) : "m"(new), "r"(COUNT) : "memory");
    return task == 14 * 8 && table[14] >> 40 == 0x8b;
}

/* ---- Over the end of RAM ---- */

static bool moves(void)
{
    uint32_t read;

    *last_two = 0x1234;
    asm volatile("mov (%1), %0" : "=r"(read) : "r"(END - 2) : "memory");
    asm volatile("movl $0x99887766, (%0)" : : "r"(END - 2) : "memory");
    return read == 0xffff1234 && *last_two == 0x7766;
}

static bool strings(void)
{
    uint64_t from = END - 2, to = END - 2, n = 2;
    void *buffer = other;

    *last_two = 0x1234;
    asm volatile("rep movsl" : "+S"(from), "+D"(buffer), "+c"(n) : : "memory");
    if (other[0] != 0xffffffffffff1234 || n)
        return false;
    from = END - 2;
    n = 2;
    asm volatile("rep outsl" : "+S"(from), "+c"(n) : "d"(PORT) : "memory");
    n += 3;
    asm volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(0x55667788) : "memory");
    return !n && to == END + 10 && *last_two == 0x7788;
}

static bool comparisons(void)
{
    uint64_t at = END - 2, n = 8;
    void *ones = other;

    other[0] = ONES;
    *last_two = 0xffff;
    asm volatile("repe cmpsb" : "+S"(at), "+D"(ones), "+c"(n) : : "cc", "memory");
    if (n)
        return false;
    *last_two = 0;
    at = END - 2;
    n = 8;
    asm volatile("repne scasb" : "+D"(at), "+c"(n) : "a"(0xff) : "cc", "memory");
    return at == END + 1 && n == 5;
}

/* ---- Breakpoints and single steps ---- */

#define PIC_MASK  0x21 /* a port that exits */
#define CR4_DE    (1ul << 3)
#define RFLAGS_RF (1ul << 16)
#define RFLAGS_TF (1ul << 8)
#define DR6_BS    (1ul << 14)
#define DR6_NONE  0xFFFF0FF0ul
#define ON_FETCH  0ul
#define ON_WRITE  1ul
#define ON_PORT   2ul
#define ON_ACCESS 3ul
#define FOUR      (3ul << 2)

static struct {
    uint64_t dr6, rip, rcx;
    bool resumes; /* RF was pushed */
} seen[8];
static volatile unsigned traps;

static void on_debug(struct trap *t)
{
    uint64_t dr6;

    asm volatile("mov %%dr6, %0\n mov %1, %%dr6" : "=&r"(dr6) : "r"(DR6_NONE));
    if (traps < sizeof(seen) / sizeof(seen[0])) {
        seen[traps].dr6 = dr6 & ~DR6_NONE;
        seen[traps].rip = t->rip;
        seen[traps].rcx = t->rcx;
        seen[traps].resumes = t->rflags & RFLAGS_RF;
    }
    traps++;
    t->rflags |= RFLAGS_RF;
}

/* By DR1; control: when and how long. */
static void watch(uint64_t at, uint64_t control)
{
    uint64_t cr4;

    traps = 0;
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    asm volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_DE));
    asm volatile("mov %0, %%dr1" : : "r"(at));
    asm volatile("mov %0, %%dr7" : : "r"(control << 20 | 1ul << 3) : "memory");
}

/* How many traps there were. */
static unsigned unwatch(void)
{
    asm volatile("mov %0, %%dr7" : : "r"(0ul) : "memory");
    return traps;
}

static bool trapped(unsigned n, uint64_t dr6, uint64_t rip)
{
    return seen[n].dr6 == dr6 && seen[n].rip == rip;
}

static bool breakpoint_on_port(void)
{
    uint64_t next;
    uint8_t mask;

    watch(PIC_MASK, ON_PORT);
    asm volatile("inb %2, %0\n 1: lea 1b(%%rip), %1" : "=a"(mask), "=r"(next) : "i"(PIC_MASK));
    if (unwatch() != 1 || !trapped(0, 2, next))
        return false;
    watch(PIC_MASK, ON_PORT);
    outb(PIC_MASK + 0x20, inb(PIC_MASK + 0x80));
    outb(PIC_MASK, mask);
    return unwatch() == 1;
}

static bool breakpoint_on_memory(void)
{
    uint64_t next;

    watch(COUNT, FOUR | ON_WRITE);
    asm volatile("movl $0x2000, (%1)\n 1: lea 1b(%%rip), %0" : "=r"(next) : "r"(COUNT) : "memory");
    (void)*count;
    if (unwatch() != 1 || !trapped(0, 2, next))
        return false;
    watch(COUNT + 3, ON_ACCESS);
    (void)*count;
    *count += 1;
    if (unwatch() < 2)
        return false;
    watch(END + 1, ON_WRITE); /* of a move that begins in RAM */
    asm volatile("movl $0, (%0)" : : "r"(END - 2) : "memory");
    return unwatch() == 1;
}

static bool breakpoint_on_code(void)
{
    uint64_t at;

    asm volatile("lea in_from_pic(%%rip), %0" : "=r"(at));
    watch(at, ON_FETCH);
    asm volatile("in_from_pic: inb %0, %%al" : : "i"(PIC_MASK) : "rax");
    return unwatch() == 1 && trapped(0, 2, at);
}

/* After each repetition that meets it, at the instruction; behind it after the last one. */
static bool breakpoint_in_rep(void)
{
    uint64_t next, n = 3, from = COUNT - 4;
    void *to = other;

    watch(PIC_MASK, ON_PORT);
    asm volatile("1: rep insb\n 2: lea 2b(%%rip), %0"
                 : "=&r"(next), "+D"(to), "+c"(n)
                 : "d"(PIC_MASK)
                 : "memory");
    if (unwatch() != 3 || n || !trapped(0, 2, next - 2) || !trapped(1, 2, next - 2) ||
        !trapped(2, 2, next) || !seen[0].resumes || seen[2].resumes || seen[1].rcx != 1)
        return false;
    to = other;
    n = 3;
    watch(COUNT, FOUR | ON_ACCESS);
    asm volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
    return unwatch() == 1 && seen[0].rcx == 1 && !n;
}

/* POPF's own trap does not come; what clears TF again has some more. */
static bool steps(void)
{
    uint64_t rep, next, n = 2;
    void *to = other;

    traps = 0;
    asm volatile("lea 1f(%%rip), %0\n lea 2f(%%rip), %1\n pushf\n orl $0x100, (%%rsp)\n popf\n"
                 "1: rep insb\n 2: mov (%5), %%eax\n 3: pushf\n andl $0xfffffeff, (%%rsp)\n popf"
                 : "=&r"(rep), "=&r"(next), "+D"(to), "+c"(n)
                 : "d"(PIC_MASK), "r"(COUNT)
                 : "rax", "cc", "memory");
    return traps == 6 && trapped(0, DR6_BS, rep) && trapped(1, DR6_BS, next) &&
           trapped(2, DR6_BS, next + 2) && seen[0].resumes && !seen[1].resumes;
}

static bool step_and_breakpoint(void)
{
    watch(COUNT, FOUR | ON_ACCESS);
    asm volatile("pushf\n orl $0x100, (%%rsp)\n popf\n mov (%0), %%eax\n"
                 "pushf\n andl $0xfffffeff, (%%rsp)\n popf"
                 :
                 : "r"(COUNT)
                 : "rax", "cc", "memory");
    return unwatch() == 4 && seen[0].dr6 == (DR6_BS | 2) && seen[1].dr6 == DR6_BS;
}

/* ---- All of them ---- */

static const struct {
    const char *name;
    bool (*right)(void);
} cases[] = {
    { "MOVUPS to text memory", movups_to_text },
    { "MOVUPS, store", movups_store },
    { "MOVUPS, load", movups_load },
    { "the upper halves of YMM", upper_halves },
    { "VMOVDQU, store", vmovdqu_store },
    { "VMOVDQU, load", vmovdqu_load },
    { "MOVD and MOVSS", movd_movss },
    { "MOVHPS", movhps },
    { "MOVNTI", movnti },
    { "MMX", mmx },
    { "CLFLUSH", clflush },
    { "ADC and SBB", adc_sbb },
    { "BT by register", bit_by_register },
    { "IMUL and DIV", multiply_divide },
    { "XADD and CMPXCHG", xadd_cmpxchg },
    { "SHLD, BSF and CMOVcc", shift_scan_move },
    { "x87", x87_moves },
    { "an x87 exception", x87_pending },
    { "PUSH and POP", push_pop },
    { "a stack", stack },
    { "MOV of segment registers, SMSW", selectors },
    { "LTR", ltr },
    { "MOV half in RAM", moves },
    { "MOVS, OUTS and STOS half in RAM", strings },
    { "CMPS and SCAS half in RAM", comparisons },
    { "a breakpoint on a port", breakpoint_on_port },
    { "a breakpoint on memory", breakpoint_on_memory },
    { "a breakpoint on code", breakpoint_on_code },
    { "a breakpoint within REP", breakpoint_in_rep },
    { "single steps", steps },
    { "a step that meets a breakpoint", step_and_breakpoint },
    { "a step over each that exits", steps_over_each }, /* the last: #DB is its own */
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static bool right;

static void try(void *arg)
{
    right = cases[*(unsigned *)arg].right();
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    unsigned good = 0;

    (void)boot_information;
    trap_init();
    trap_set(1, on_debug);
    trap_set(16, on_x87);
    allow_vectors();
    allow_x87();
    for (unsigned i = 0; i < CASES; i++) {
        fill();
        right = false;
        int trap = trap_try(try, &i);
        if (!right || trap >= 0)
            print("devmem: %s: wrong, exception %d\n", cases[i].name, trap);
        else
            good++;
    }
    print("devmem: %lu of %lu right\n", (uint64_t)good, (uint64_t)CASES);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
