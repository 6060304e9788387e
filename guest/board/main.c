/*
 * A kernel of the kind that knows no ACPI: reads what a PC's firmware leaves in memory, puts
 * prefixes before instructions that exit, starts and stops the other CPUs, then waits for the timer
 * in real mode with the firmware's own handlers, and resets by a jump to where a CPU starts.
 */
#include <stdbool.h>
#include "guest/board/startup.h"
#include "guest/lib/cpu.h"
#include "guest/lib/print.h"

void main(void);

/* real_mode.asm: counts `ticks` of the timer in real mode, then jumps to FFFF:0000. */
_Noreturn void real_mode(void);

#define SCAN_FROM 0xF0000ul
#define SCAN_TO   0x100000ul
#define EBDA_KIB  1024ul

/* An address of low memory, which the compiler would not let us read as an array. */
static const uint8_t *at(uint64_t address)
{
    const uint8_t *p;

    asm volatile("" : "=r"(p) : "0"(address));
    return p;
}

static uint32_t get(const uint8_t *p, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)p[i] << 8 * i;
    return value;
}

static bool sums_up(const uint8_t *p, unsigned bytes)
{
    uint8_t sum = 0;

    while (bytes--)
        sum += *p++;
    return !sum;
}

/* As the MultiProcessor Specification wants it looked for. */
static const uint8_t *find_mp(uint64_t from, uint64_t to)
{
    for (; from < to; from += 16)
        if (get(at(from), 4) == 0x5F504D5F && sums_up(at(from), 16))
            return at(from);
    return at(0);
}

static void count_entries(const uint8_t *table)
{
    unsigned count[5] = { 0 };
    const uint8_t *entry = table + 44;

    for (unsigned i = get(table + 34, 2); i && *entry < 5; i--) {
        count[*entry]++;
        entry += *entry ? 8 : 20;
    }
    print("board: MP table: %u CPUs, %u bus, %u I/O APIC, %u lines, %u local, %s\n", count[0],
          count[1], count[2], count[3], count[4],
          entry == table + get(table + 4, 2) && sums_up(table, get(table + 4, 2)) ? "whole"
                                                                                  : "broken");
}

/* Instructions that exit, behind prefixes that change nothing: whoever steps over them as if they
 * had none gets on in the middle of them. */
static void prefixed(void)
{
    uint32_t eax = 0, ebx, ecx = 0, edx, high;

    asm volatile(".byte 0x66, 0x48; cpuid; .byte 0x2E; cpuid"
                 : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    ecx = 0x8B; /* the microcode's revision */
    asm volatile(".byte 0x3E; wrmsr; .byte 0xF3, 0x3E; rdmsr"
                 : "=a"(eax), "=d"(high)
                 : "c"(ecx), "0"(0), "1"(0));
    asm volatile("cli; .byte 0x66, 0x67; wbinvd; .byte 0xF3; wbinvd");
    print("board: past all prefixes\n");
}

void main(void)
{
    uint64_t ebda = (uint64_t)get(at(0x40E), 2) << 4;
    const uint8_t *first = find_mp(ebda, ebda + EBDA_KIB), *second = find_mp(SCAN_FROM, SCAN_TO);

    print("board: the extended BIOS data area has %u KiB\n", get(at(ebda), 1));
    print("board: MP pointers at 0x%lx and 0x%lx\n", (uint64_t)first, (uint64_t)second);
    if (first && second && get(first + 4, 4) == get(second + 4, 4))
        count_entries(at(get(first + 4, 4)));
    prefixed();
    startup_try();
    real_mode();
}
