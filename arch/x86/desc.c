/*
 * The descriptor tables.
 *
 * Caisson never leaves ring 0, so a GDT is one code and one data segment and the TSS, and the TSS
 * serves only to name the stacks of the three exceptions that must not depend on the current one.
 * Sources: SDM, "Segment Descriptors", "Task Management in 64-bit Mode", "64-Bit Mode IDT".
 */
#include "arch/x86/desc.h"

#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "arch/x86/trap.h"
#include "lib/assert.h"

enum { GDT_NULL, GDT_CODE, GDT_DATA, GDT_TSS_LOW, GDT_TSS_HIGH, GDT_ENTRIES };
_Static_assert(SEL_CODE == GDT_CODE * 8 && SEL_DATA == GDT_DATA * 8 && SEL_TSS == GDT_TSS_LOW * 8,
               "selectors are offsets into the table");

#define DESC_CODE64    0x00AF9B000000FFFFUL /* long, present, ring 0, execute and read */
#define DESC_DATA      0x00CF93000000FFFFUL /* present, ring 0, read and write */
#define DESC_TSS       0x0000890000000000UL /* present, 64-bit TSS, not busy */
#define GATE_INTERRUPT 0x8E00               /* present, ring 0, clears IF */

enum { IST_NONE, IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK };

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* IST n is ist[n - 1] */
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map; /* beyond the limit: there is none */
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM, 64-Bit TSS Format");

struct gate {
    uint16_t offset_low, selector, type, offset_middle;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM, 64-Bit IDT Gate Descriptors");

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct tables {
    uint64_t gdt[GDT_ENTRIES];
    struct tss tss;
} __attribute__((aligned(128)));

static struct tables tables[MAX_PCPUS]; /* each its own pCPU's */
static struct gate idt[TRAP_VECTORS];   /* written by the boot CPU, the same each time */

static void idt_fill(const struct desc_stacks *stacks)
{
    for (unsigned i = 0; i < TRAP_VECTORS; i++) {
        uint64_t stub = (uint64_t)trap_stubs + (uint64_t)i * TRAP_STUB_BYTES;

        idt[i] = (struct gate){ .offset_low = stub & 0xFFFF,
                                .selector = SEL_CODE,
                                .type = GATE_INTERRUPT,
                                .offset_middle = stub >> 16 & 0xFFFF,
                                .offset_high = stub >> 32 };
    }
    if (!stacks)
        return;
    idt[VECTOR_DF].type |= IST_DOUBLE_FAULT;
    idt[VECTOR_NMI].type |= IST_NMI;
    idt[VECTOR_MC].type |= IST_MACHINE_CHECK;
}

static void tss_fill(struct tss *tss, const struct desc_stacks *stacks)
{
    tss->io_map = sizeof(*tss);
    if (!stacks)
        return;
    ASSERT(stacks->double_fault && stacks->nmi && stacks->machine_check);
    tss->ist[IST_DOUBLE_FAULT - 1] = (uint64_t)stacks->double_fault;
    tss->ist[IST_NMI - 1] = (uint64_t)stacks->nmi;
    tss->ist[IST_MACHINE_CHECK - 1] = (uint64_t)stacks->machine_check;
}

static void gdt_fill(struct tables *t)
{
    uint64_t base = (uint64_t)&t->tss, limit = sizeof(t->tss) - 1;

    t->gdt[GDT_CODE] = DESC_CODE64;
    t->gdt[GDT_DATA] = DESC_DATA;
    t->gdt[GDT_TSS_LOW] = DESC_TSS | limit | (base & 0xFFFFFF) << 16 | (base >> 24 & 0xFF) << 56;
    t->gdt[GDT_TSS_HIGH] = base >> 32;
}

/* FS and GS stay as they are: loading a selector would clear the GS base. */
static void segments_load(void)
{
    asm volatile("pushq %0\n\t"
                 "leaq 1f(%%rip), %%rax\n\t"
                 "pushq %%rax\n\t"
                 "lretq\n"
                 "1:\n\t"
                 "movl %1, %%eax\n\t"
                 "movl %%eax, %%ds\n\t"
                 "movl %%eax, %%es\n\t"
                 "movl %%eax, %%ss\n\t"
                 "xorl %%eax, %%eax\n\t"
                 "lldt %%ax"
                 :
                 : "i"(SEL_CODE), "i"(SEL_DATA)
                 : "rax", "memory");
}

void desc_init(const struct desc_stacks *stacks)
{
    struct tables *t = &tables[cpu_id()];
    struct pointer gdtr = { sizeof(t->gdt) - 1, (uint64_t)t->gdt };
    struct pointer idtr = { sizeof(idt) - 1, (uint64_t)idt };

    gdt_fill(t);
    tss_fill(&t->tss, stacks);
    if (cpu_id() == 0)
        idt_fill(stacks);
    asm volatile("lgdt %0" : : "m"(gdtr));
    segments_load();
    asm volatile("ltr %w0" : : "r"(SEL_TSS));
    asm volatile("lidt %0" : : "m"(idtr));
}

uint64_t desc_gdt_base(void)
{
    return (uint64_t)tables[cpu_id()].gdt;
}

uint64_t desc_idt_base(void)
{
    return (uint64_t)idt;
}

uint64_t desc_tss_base(void)
{
    return (uint64_t)&tables[cpu_id()].tss;
}
