/*
 * Memory types of the machine's physical address space, from its MTRRs.
 *
 * The registers are read once into a list of ranges. A question is answered piece by piece: within
 * a piece no range begins or ends, so one rule for overlaps and one for mixed answers, which are
 * the same, suffice.
 *
 * Source: SDM volume 3, "Memory Type Range Registers (MTRRs)", above all "MTRR Precedences".
 */
#include "arch/x86/mtrr.h"

#include <stdbool.h>
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "lib/log.h"

#define TYPE_UC 0
#define TYPE_WT 4
#define TYPE_WB 6

#define CAP_COUNT(cap)   ((unsigned)(cap)&0xFF)
#define CAP_FIXED        (1u << 8)
#define DEFAULT_FIXED_ON (1u << 10)
#define DEFAULT_ON       (1u << 11)
#define MASK_VALID       (1u << 11)
#define MAX_VARIABLE     32
#define FIXED_END        0x100000u
#define FIXED_PER_MSR    8
#define FIXED_MSRS       11
#define FIXED_RANGES     (FIXED_MSRS * FIXED_PER_MSR)

/* The fixed-range registers, each of eight ranges of `size` bytes. */
static const struct {
    uint32_t msr, start, size;
} fixed_msrs[FIXED_MSRS] = {
    { MSR_IA32_MTRR_FIX64K, 0x00000, 0x10000 },
    { MSR_IA32_MTRR_FIX16K_80000, 0x80000, 0x4000 },
    { MSR_IA32_MTRR_FIX16K_A0000, 0xA0000, 0x4000 },
    { MSR_IA32_MTRR_FIX4K_C0000, 0xC0000, 0x1000 },
    { MSR_IA32_MTRR_FIX4K_C0000 + 1, 0xC8000, 0x1000 },
    { MSR_IA32_MTRR_FIX4K_C0000 + 2, 0xD0000, 0x1000 },
    { MSR_IA32_MTRR_FIX4K_C0000 + 3, 0xD8000, 0x1000 },
    { MSR_IA32_MTRR_FIX4K_C0000 + 4, 0xE0000, 0x1000 },
    { MSR_IA32_MTRR_FIX4K_C0000 + 5, 0xE8000, 0x1000 },
    { MSR_IA32_MTRR_FIX4K_C0000 + 6, 0xF0000, 0x1000 },
    { MSR_IA32_MTRR_FIX4K_C0000 + 7, 0xF8000, 0x1000 },
};

struct range {
    uint64_t start, end; /* end: the first byte after it */
    uint8_t type;
};

/* All boot only. */
static struct range fixed[FIXED_RANGES], variable[MAX_VARIABLE];
static unsigned variable_count;
static struct range main_memory; /* the piece that begins at 1 MiB: nearly all that is asked for */
static bool fixed_on;
static uint8_t default_type;

static void read_fixed(void)
{
    for (unsigned i = 0; i < FIXED_RANGES; i++) {
        unsigned n = i / FIXED_PER_MSR, k = i % FIXED_PER_MSR;
        uint64_t start = fixed_msrs[n].start + (uint64_t)k * fixed_msrs[n].size;

        fixed[i] = (struct range){ start, start + fixed_msrs[n].size,
                                   (uint8_t)(rdmsr(fixed_msrs[n].msr) >> (8 * k)) };
    }
}

static void read_variable(unsigned n)
{
    uint64_t base = rdmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * n);
    uint64_t mask = rdmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n);
    uint64_t bits = mask & ~0xFFFUL, size = bits & -bits;

    if (!(mask & MASK_VALID) || bits == 0)
        return;
    /* A mask with holes repeats its range all over memory. Nobody does that. */
    if ((bits + size) & (bits + size - 1))
        log_warn("mtrr: range %u has a mask with holes (0x%llx), only its first part counts", n,
                 (unsigned long long)mask);
    base &= bits;
    variable[variable_count++] =
        (struct range){ base, base + size, (uint8_t)rdmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * n) };
}

static void read_all(void)
{
    uint64_t cap = rdmsr(MSR_IA32_MTRRCAP), control = rdmsr(MSR_IA32_MTRR_DEF_TYPE);
    unsigned count = CAP_COUNT(cap) < MAX_VARIABLE ? CAP_COUNT(cap) : MAX_VARIABLE;

    variable_count = 0;
    fixed_on = false;
    default_type = TYPE_UC;
    if (!(control & DEFAULT_ON)) {
        log_warn("mtrr: switched off by the firmware, all memory is uncached");
        return;
    }
    default_type = (uint8_t)control;
    fixed_on = (cap & CAP_FIXED) && (control & DEFAULT_FIXED_ON);
    if (fixed_on)
        read_fixed();
    for (unsigned n = 0; n < count; n++)
        read_variable(n);
    log_debug("mtrr: %u ranges, default type %u", variable_count, default_type);
}

/* Of two types that meet. Only UC with anything and WT with WB are defined; the rest is UC here. */
static uint8_t careful(uint8_t a, uint8_t b)
{
    if (a == b)
        return a;
    if ((a == TYPE_WT && b == TYPE_WB) || (a == TYPE_WB && b == TYPE_WT))
        return TYPE_WT;
    return TYPE_UC;
}

/* Where the piece that `at` is in ends, as far as this range is concerned. */
static uint64_t range_border(const struct range *r, uint64_t at, uint64_t end)
{
    if (at < r->start)
        return r->start < end ? r->start : end;
    return at < r->end && r->end < end ? r->end : end;
}

/* The type at `at`, and in *end where it may change. */
static uint8_t type_from(uint64_t at, uint64_t *end)
{
    uint8_t type = default_type;
    bool any = false;

    if (fixed_on && at < FIXED_END) {
        for (unsigned i = 0; i < FIXED_RANGES; i++) {
            if (at >= fixed[i].start && at < fixed[i].end) {
                *end = range_border(&fixed[i], at, *end);
                return fixed[i].type;
            }
        }
    }
    for (unsigned i = 0; i < variable_count; i++) {
        *end = range_border(&variable[i], at, *end);
        if (at < variable[i].start || at >= variable[i].end)
            continue;
        type = any ? careful(type, variable[i].type) : variable[i].type;
        any = true;
    }
    return type;
}

void mtrr_read(void)
{
    read_all();
    main_memory = (struct range){ FIXED_END, UINT64_MAX, 0 };
    main_memory.type = type_from(FIXED_END, &main_memory.end);
}

uint8_t mtrr_type(maddr_t start, uint64_t size)
{
    uint64_t at = start.v, last = start.v + size, end = last;

    if (at >= main_memory.start && last <= main_memory.end)
        return main_memory.type;
    uint8_t type = type_from(at, &end);

    for (at = end; at < last; at = end) {
        end = last;
        type = careful(type, type_from(at, &end));
    }
    return type;
}
