/*
 * Instructions on device memory that are not what they were a moment ago at the same address: other
 * bytes, another page behind the address, other tables on the way. Whoever remembers them, as
 * Caisson does (emulate/insn_cache.h), has to notice.
 *
 * The device is the I/O APIC. Each piece of code leaves in EAX what tells it from the others.
 */
#include "guest/torture/code.h"
#include "guest/lib/cpu.h"
#include "guest/lib/print.h"

#define IOAPIC   0xFEC00000ul     /* reads as the register that is selected */
#define VERSION  1                /* its version register: behind the window, at 0x10 */
#define CODE     0x400000000000ul /* linear, in an entry of the PML4 that is the test's own */
#define P_W      3ul
#define ACCESSED 0x20ul

typedef uint32_t (*code_fn)(uint64_t device);

static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd[512] __attribute__((aligned(4096)));
static uint64_t pt[2][512] __attribute__((aligned(4096)));
static uint8_t page[2][4096] __attribute__((aligned(4096)));

/* rdi: the device. In all of them the access is the first instruction. */
static const struct {
    uint8_t bytes[8];
    uint32_t answer;
} pieces[] = {
    { { 0x8b, 0x07, 0xc3 }, VERSION },                /* mov eax,[rdi]; ret */
    { { 0x0f, 0xb6, 0x07, 0x04, 0x10, 0xc3 }, 0x11 }, /* movzx eax,byte[rdi]; add al,16; ret */
    { { 0x8b, 0x0f, 0x8d, 0x41, 0x20, 0xc3 }, 0x21 }, /* mov ecx,[rdi]; lea eax,[rcx+32]; ret */
    { { 0x3b, 0x07, 0xb0, 0x42, 0x90, 0xc3 }, 0x42 }, /* cmp eax,[rdi]; mov al,0x42; nop; ret */
};
#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

static unsigned tries, right;

static void write_code(uint8_t *at, unsigned piece)
{
    for (unsigned i = 0; i < sizeof(pieces[piece].bytes); i++)
        *(volatile uint8_t *)(at + i) = pieces[piece].bytes[i];
}

static void flush(void)
{
    asm volatile("invlpg (%0)" : : "r"(CODE) : "memory");
}

/* Calls what stands at offset; it is to be that piece. */
static void call(unsigned offset, unsigned piece)
{
    uint32_t answer;

    asm volatile("xor %%eax, %%eax; call *%1"
                 : "=&a"(answer)
                 : "r"(CODE + offset), "D"(IOAPIC)
                 : "rcx", "rdx", "cc", "memory");
    tries++;
    right += answer == pieces[piece].answer;
}

static void map(void)
{
    uint64_t cr3;

    asm volatile("mov %%cr3, %0" : "=r"(cr3));
    pt[0][0] = (uint64_t)page[0] | P_W;
    pt[1][0] = (uint64_t)page[1] | P_W;
    pd[0] = (uint64_t)pt[0] | P_W;
    pdpt[0] = (uint64_t)pd | P_W;
    ((volatile uint64_t *)(cr3 & ~0xffful))[CODE >> 39] = (uint64_t)pdpt | P_W;
    flush();
}

/* At the same place, one piece over the other; within a page, and up to its last byte. */
static void other_bytes(void)
{
    static const unsigned offsets[] = { 0, 0x345, 4096 - sizeof(pieces[0].bytes) };

    for (unsigned i = 0; i < 3 * PIECES * 2; i++) {
        write_code(page[0] + offsets[i % 3], i % PIECES);
        call(offsets[i % 3], i % PIECES);
        call(offsets[i % 3], i % PIECES);
    }
}

/* Another page by the last entry, other tables by the one above; then the first again. */
static void other_pages(void)
{
    write_code(page[0], 0);
    write_code(page[1], 1);
    for (unsigned i = 0; i < 8; i++) {
        uint64_t *entry = i & 4 ? &pd[0] : &pt[0][0];
        uint64_t targets[2] = { (uint64_t)(i & 4 ? (void *)pt[0] : page[0]),
                                (uint64_t)(i & 4 ? (void *)pt[1] : page[1]) };
        pt[0][0] = (uint64_t)page[0] | P_W;
        *(volatile uint64_t *)entry = targets[i & 1] | P_W;
        flush();
        call(0, i & 1);
        call(0, i & 1);
    }
}

/* What a CPU marks when it walks, it marks again after the guest has cleared it. */
static void accessed_again(void)
{
    pd[0] = (uint64_t)pt[0] | P_W;
    for (unsigned i = 0; i < 4; i++) {
        *(volatile uint64_t *)&pt[0][0] = (uint64_t)page[0] | P_W;
        flush();
        call(0, 0);
        tries++;
        right += (*(volatile uint64_t *)&pt[0][0] & ACCESSED) != 0;
    }
}

void changing_code(void)
{
    *(volatile uint32_t *)IOAPIC = VERSION;
    map();
    other_bytes();
    other_pages();
    accessed_again();
    print("torture: changing code: %u of %u right\n", right, tries);
}
