/*
 * Hardware task switches as a 32-bit kernel makes them: JMP, CALL and IRET, gates, an own address
 * space, vm86, a TSS of 16 bits, and faults, interrupts and NMIs whose handlers are tasks.
 *
 * One line for each that goes wrong, then how many went right.
 */
#include "guest/tasks/tasks.h"
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"

void main(void);

enum {
    CODE = 0x08,
    DATA = 0x10,
    MAIN = 0x28,
    B = 0x30,
    C = 0x38,
    VM86 = 0x40,
    DF = 0x48,
    PF = 0x50,
    TS = 0x58,
    LONG_CODE = 0x60,
    CODE_C = 0x68,
    GATE = 0x70,
    NOWHERE = 0x78,
    UD = 0x80,
    SOFT = 0x88,
    EXT = 0x90,
    NMI = 0x98,
    THE_LDT = 0xA0,
    LDT_GATE = 0x0C /* in it */
};

#define TSS32      0x89ul
#define TSS16      0x81ul
#define TASK_GATE  0x85ul
#define INT_GATE   0x8Eul
#define LDT        0x82ul
#define ABSENT     0x80000000u
#define VM86_CODE  0x8000ul
#define VM86_FLAGS 0x23002u /* VM, IOPL 3 */
#define FLAGS_NT   0x4000u
#define FLAGS_RF   0x10000u
#define CR0_TS     8u
#define DR6_BT     0x8000u

uint64_t tasks_gdt[32], tasks_idt[256];
static uint64_t ldt[2];

static uint64_t descriptor(uint64_t base, uint64_t limit, uint64_t access)
{
    return (limit & 0xffff) | (base & 0xffffff) << 16 | access << 40 | (limit >> 16 & 15) << 48 |
           (base >> 24 & 0xff) << 56;
}

static uint64_t gate(uint64_t selector, uint64_t offset, uint64_t type)
{
    return (offset & 0xffff) | selector << 16 | type << 40 | (offset >> 16 & 0xffff) << 48;
}

static void set_tss(unsigned selector, const void *tss)
{
    tasks_gdt[selector / 8] = descriptor((uint64_t)tss, 103, TSS32);
}

static void build_gdt(void)
{
    tasks_gdt[CODE / 8] = 0x00CF9B000000FFFF;
    tasks_gdt[DATA / 8] = 0x00CF93000000FFFF;
    tasks_gdt[LONG_CODE / 8] = 0x00AF9B000000FFFF;
    tasks_gdt[CODE_C / 8] = descriptor((uint64_t)c_base, 0xFFF, 0x9B) | 1ul << 54;
    tasks_gdt[GATE / 8] = gate(B, 0, TASK_GATE);
    ldt[LDT_GATE / 8] = gate(B, 0, TASK_GATE);
    tasks_gdt[THE_LDT / 8] = descriptor((uint64_t)ldt, sizeof(ldt) - 1, LDT);
    ((uint32_t *)tss_main)[24] = THE_LDT; /* from where it comes back */
    tasks_gdt[C / 8] = descriptor((uint64_t)tss_c, 43, TSS16);
    tasks_gdt[NOWHERE / 8] = descriptor(ABSENT, 103, TSS32);
    set_tss(MAIN, tss_main);
    set_tss(B, tss_b);
    set_tss(VM86, tss_vm86);
    set_tss(DF, tss_df);
    set_tss(PF, tss_pf);
    set_tss(TS, tss_ts);
    set_tss(UD, tss_ud);
    set_tss(SOFT, tss_soft);
    set_tss(EXT, tss_ext);
    set_tss(NMI, tss_nmi);
}

static void build_idt(void)
{
    tasks_idt[1] = gate(CODE, (uint64_t)db_handler, INT_GATE);
    tasks_idt[2] = gate(NMI, 0, TASK_GATE);
    tasks_idt[6] = gate(UD, 0, TASK_GATE);
    tasks_idt[8] = gate(DF, 0, TASK_GATE);
    tasks_idt[10] = gate(TS, 0, TASK_GATE);
    tasks_idt[14] = gate(PF, 0, TASK_GATE);
    tasks_idt[0x80] = gate(SOFT, 0, TASK_GATE);
    tasks_idt[0x81] = gate(EXT, 0, TASK_GATE);
    pf_gate = gate(CODE, (uint64_t)pf_handler, INT_GATE);
}

/* Main has no third GiB, B sees the first one there. */
static void build_tables(void)
{
    uint64_t directory = (uint64_t)tables + 0x2000;

    for (unsigned i = 0; i < 4; i++)
        pdpt_a[i] = pdpt_b[i] = (directory + 0x1000ul * i) | 1;
    pdpt_a[2] = 0;
    pdpt_b[2] = directory | 1;
    ((uint32_t *)tss_b)[7] = (uint32_t)(uint64_t)pdpt_b;
}

static void build_c(void)
{
    tss_c[8] = 2; /* flags; IP is 0 */
    tss_c[13] = 0x7000;
    tss_c[17] = DATA;
    tss_c[18] = CODE_C;
    tss_c[19] = tss_c[20] = DATA;
}

static void build_vm86(void)
{
    uint32_t *tss = (uint32_t *)tss_vm86;
    uint8_t *to = (uint8_t *)VM86_CODE;

    asm volatile("" : "+r"(to));
    for (const uint8_t *from = vm86_code; from < vm86_code_end; from++)
        *to++ = *from;
    tss[9] = VM86_FLAGS;
    for (unsigned i = 18; i < 24; i++)
        tss[i] = VM86_CODE >> 4;
}

static unsigned right, tried;

static void expect(const char *what, uint32_t value, uint32_t wanted)
{
    tried++;
    right += value == wanted;
    if (value != wanted)
        print("tasks: %s: %#x, not %#x\n", what, value, wanted);
}

static void look_at_switches(void)
{
    expect("TR in B", found.b_tr, B);
    expect("flags in B", found.b_flags & (FLAGS_NT | FLAGS_RF), 0);
    expect("CR0.TS", found.b_cr0 & CR0_TS, CR0_TS);
    expect("CR3", found.b_cr3, 0);
    expect("what B's page tables show", found.b_marker, 0x600DCAFE);
    expect("local breakpoints", found.b_dr7 & 0x155, 0);
    expect("B is busy", found.b_busy, 0x8b);
    expect("main is not", found.main_busy, 0x89);
    expect("B is not, after JMP", found.b_free, 0x89);
    expect("registers kept", found.kept, 6);
    expect("NT after CALL", found.call_flags & FLAGS_NT, FLAGS_NT);
    expect("link after CALL", found.call_link, MAIN);
    expect("calls by gates of both tables and by memory", found.gate, 3);
    expect("CS of a 16-bit task", found.c_cs, CODE_C);
    expect("its link", found.c_link, MAIN);
    expect("its saved IP", found.c_ip, (uint32_t)(c_again - c_base));
    expect("its calls", found.c_count, 2);
    expect("INT n", found.soft, 2);
}

static void look_at_faults(void)
{
    expect("#PF", found.pf_count, 2);
    expect("its error code, the last", found.pf_error & ~2u, 0);
    expect("its address", found.pf_cr2, ABSENT + 0x123);
    expect("its link", found.pf_link, MAIN);
    expect("its EIP", found.pf_eip, 0);
    expect("address of a TSS that is not there", found.nowhere_cr2 & ~0x7fu, ABSENT);
    expect("#DF", found.df_count, 2);
    expect("its error code", found.df_error, 0);
    expect("the stack that had run over", found.df_stack, ABSENT + 0x100);
    expect("#TS in the new task", found.ts_error, 0xf8);
    expect("its link", found.ts_link, B);
    expect("#UD in vm86", found.ud_count, 2);
    expect("EAX there", found.vm86_eax & 0xffff, 0x5678);
    expect("CS there", found.vm86_cs, VM86_CODE >> 4);
    expect("flags there", found.vm86_flags & VM86_FLAGS, VM86_FLAGS);
    expect("EIP there", found.vm86_eip, 8);
    expect("an interrupt", found.external, 1);
    expect("NMIs", found.nmi, 2);
}

/* What QEMU's AMD-V does not do, which carries the switches out itself (docs/qemu.md). */
static void look_at_rest(void)
{
    uint32_t vendor[4];

    cpuid(0, 0, vendor);
    if (vendor[1] != 0x756e6547) /* "Genu" */
        return;
    expect("RF saved with #PF", found.pf_flags & FLAGS_RF, FLAGS_RF);
    expect("EIP of #TS", found.ts_eip, 0);
    expect("the debug trap", found.dr6 & DR6_BT, DR6_BT);
    expect("its EIP", found.db_eip, 0);
}

void main(void)
{
    trap_init();
    build_gdt();
    build_idt();
    build_tables();
    build_c();
    build_vm86();
    tasks_run();
    look_at_switches();
    look_at_faults();
    look_at_rest();
    expect("all of it", found.done, 1);
    print("tasks: %u of %u right\n", right, tried);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
