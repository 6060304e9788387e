/*
 * The checks that VMRUN makes on a VMCB.
 *
 * They run only when one has been refused, to say in words what the CPU says as VMEXIT_INVALID.
 * Not looked for are bits that this very model lacks (of CR4 and EFER): those that no model
 * defines are.
 * Sources: APM volume 2, "Canonicalization and Consistency Checks", "Event Injection", "Nested
 * Paging and VMRUN/#VMEXIT".
 */
#include "svm/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/x86/cpu.h"
#include "lib/addr.h"
#include "svm/vmcb.h"
#include "virt/check.h"
#include "virt/msr.h"

/* APM volume 2, "CR4 Register" and "Extended Feature Enable Register (EFER)". */
#define CR4_DEFINED                                                                                \
    (0xFFFUL | CR4_LA57 | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_PKE | \
     CR4_CET)
#define CR4_LA57     (1UL << 12)
#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | 0x36F800UL)
#define CR3_DEFINED  ((1UL << 52) - 1)

#define ATTR_L (1u << 9)
#define ATTR_D (1u << 10)

#define IOPM_BYTES  0x3000
#define MSRPM_BYTES 0x2000

enum event_kind { KIND_INTERRUPT = 0, KIND_NMI = 2, KIND_EXCEPTION = 3, KIND_SOFT = 4 };

static const char *wrong(const char *name, uint64_t value, const char *rule)
{
    return check_say("%s (0x%lx): %s", name, value, rule);
}

static const char *check_registers(const struct vmcb *b)
{
    if (!(b->efer & EFER_SVME))
        return wrong("EFER", b->efer, "SVME must be 1");
    if (b->efer & ~EFER_DEFINED)
        return wrong("EFER", b->efer, "reserved bits must be 0");
    if ((b->cr0 & CR0_NW) && !(b->cr0 & CR0_CD))
        return wrong("CR0", b->cr0, "NW wants CD");
    if (b->cr0 >> 32)
        return wrong("CR0", b->cr0, "bits 63:32 must be 0");
    if (b->cr3 & ~CR3_DEFINED)
        return wrong("CR3", b->cr3, "bits 63:52 must be 0");
    if (b->cr4 & ~CR4_DEFINED)
        return wrong("CR4", b->cr4, "reserved bits must be 0");
    if (b->dr6 >> 32)
        return wrong("DR6", b->dr6, "bits 63:32 must be 0");
    if (b->dr7 >> 32)
        return wrong("DR7", b->dr7, "bits 63:32 must be 0");
    return NULL;
}

static const char *check_long_mode(const struct vmcb *b)
{
    uint16_t cs = b->segment[VMCB_CS].attr;

    if (!(b->efer & EFER_LME) || !(b->cr0 & CR0_PG))
        return NULL;
    if (!(b->cr4 & CR4_PAE))
        return wrong("CR4", b->cr4, "PAE must be 1 with EFER.LME and CR0.PG");
    if (!(b->cr0 & CR0_PE))
        return wrong("CR0", b->cr0, "PE must be 1 with EFER.LME and CR0.PG");
    if ((cs & ATTR_L) && (cs & ATTR_D))
        return wrong("CS attributes", cs, "D must be 0 with L in long mode");
    return NULL;
}

static bool intercepts(const struct vmcb *b, enum intercept what)
{
    return b->intercepts[what / 32] >> what % 32 & 1;
}

/* Of a permission map: all of it must be in the machine's memory. */
static bool is_map(uint64_t at, uint64_t bytes)
{
    return !(((at & PAGE_MASK) + bytes - 1) >> cpu_maddr_bits());
}

static const char *check_controls(const struct vmcb *b)
{
    if (!intercepts(b, ICPT_VMRUN))
        return wrong("intercepts, word 4", b->intercepts[4], "VMRUN must be intercepted");
    if (!b->asid)
        return wrong("ASID", b->asid, "0 is Caisson's own");
    if (intercepts(b, ICPT_IOIO) && !is_map(b->iopm, IOPM_BYTES))
        return wrong("I/O permission map", b->iopm, "must be in the machine's memory");
    if (intercepts(b, ICPT_MSR) && !is_map(b->msrpm, MSRPM_BYTES))
        return wrong("MSR permission map", b->msrpm, "must be in the machine's memory");
    return NULL;
}

static const char *check_nested_paging(const struct vmcb *b)
{
    if (!(b->nested_control & NESTED_PAGING))
        return NULL;
    if (b->nested_cr3 >> cpu_maddr_bits())
        return wrong("nested CR3", b->nested_cr3, "must be in the machine's memory");
    if (!msr_is_pat(b->g_pat))
        return wrong("PAT", b->g_pat, "each byte must be a memory type");
    return NULL;
}

/* APM volume 2, "AVIC": VMCB Changes for AVIC; where it does not say what becomes of a broken rule,
 * it is named all the same. */
static const char *check_avic(const struct vmcb *b)
{
    const struct {
        uint64_t value;
        const char *name;
    } pages[] = {
        { b->avic_backing, "AVIC registers" },
        { b->avic_logical, "AVIC logical table" },
        { b->avic_physical & ~AVIC_LAST_INDEX, "AVIC physical table" },
    };

    if (!(b->vintr & VINT_AVIC))
        return b->vintr & VINT_X2AVIC ? wrong("V_INTR", b->vintr, "x2AVIC wants AVIC") : NULL;
    if (!(b->nested_control & NESTED_PAGING))
        return wrong("nested control", b->nested_control, "AVIC wants nested paging");
    for (unsigned i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (pages[i].value & ~PAGE_MASK || pages[i].value >> cpu_maddr_bits())
            return wrong(pages[i].name, pages[i].value, "must be a page of the machine's memory");
    if ((b->avic_physical & AVIC_LAST_INDEX) > 255)
        return wrong("AVIC physical table", b->avic_physical, "its last index is 255 at most");
    return NULL;
}

static const char *check_event(const struct vmcb *b)
{
    uint32_t info = (uint32_t)b->event_inj, kind = EVENT_TYPE(info), vector = EVENT_VECTOR(info);

    if (!(info & EVENT_VALID))
        return NULL;
    if (kind != KIND_INTERRUPT && kind != KIND_NMI && kind != KIND_EXCEPTION && kind != KIND_SOFT)
        return wrong("EVENTINJ", b->event_inj, "types 1 and 5 to 7 are reserved");
    if (kind == KIND_EXCEPTION && (vector == VECTOR_NMI || vector > 31))
        return wrong("EVENTINJ", b->event_inj, "an exception has a vector up to 31, and not 2");
    return NULL;
}

const char *svm_check(const struct vmcb *vmcb)
{
    static const char *(*const checks[])(const struct vmcb *) = {
        check_controls,      check_registers, check_long_mode,
        check_nested_paging, check_avic,      check_event,
    };
    const char *why = NULL;

    for (unsigned i = 0; !why && i < sizeof(checks) / sizeof(checks[0]); i++)
        why = checks[i](vmcb);
    return why;
}
