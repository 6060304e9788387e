/*
 * The checks that a VM entry makes on one segment register of the guest.
 *
 * The rules depend on the mode: virtual-8086 has its own, real mode and protected mode share the
 * rest, since Caisson's guests are always unrestricted.
 * Sources: SDM, "Checks on Guest Segment Registers".
 */
#include "vmx/check.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "vmx/controls.h"
#include "virt/virt.h"

#define TYPE(ar)     ((ar)&0xFu)
#define DPL(ar)      ((ar) >> 5 & 3u)
#define AR_RESERVED  0xFFFE0F00u
#define TI(sel)      ((sel)&4u)
#define AR_VIRTUAL86 0xF3u

static const char *say(unsigned seg, const char *rule)
{
    static const char *const names[SEG_COUNT] = {
        "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"
    };
    return check_say(
        "guest %s (selector 0x%lx, base 0x%lx, limit 0x%lx, access rights 0x%lx): %s", names[seg],
        vmcs_read(vmcs_nth(VMCS_G_ES_SEL, seg)), vmcs_read(vmcs_nth(VMCS_G_ES_BASE, seg)),
        vmcs_read(vmcs_nth(VMCS_G_ES_LIMIT, seg)), vmcs_read(vmcs_nth(VMCS_G_ES_AR, seg)), rule);
}

static const char *virtual_8086(const struct segment *s)
{
    if (s->base != (uint64_t)s->selector << 4)
        return "in virtual-8086 mode the base is 16 times the selector";
    if (s->limit != 0xFFFF)
        return "in virtual-8086 mode the limit is 0xffff";
    if (s->ar != AR_VIRTUAL86)
        return "in virtual-8086 mode the access rights are 0xf3";
    return NULL;
}

/* G says what the limit counts in: with 0 the top bits are clear, with 1 the low ones are set. */
static const char *common_rights(const struct segment *s)
{
    if (!(s->ar & SEG_AR_P))
        return "P must be 1 (present)";
    if (s->ar & AR_RESERVED)
        return "access-rights bits 11:8 and 31:17 are reserved";
    if ((s->limit & 0xFFF) != 0xFFF && (s->ar & SEG_AR_G))
        return "G must be 0 if any of the limit's low 12 bits is 0";
    if ((s->limit & 0xFFF00000) && !(s->ar & SEG_AR_G))
        return "G must be 1 if any of the limit's high 12 bits is 1";
    return NULL;
}

static const char *code_type(const struct segment *s)
{
    uint32_t ss = vmcs_read(VMCS_G_SS_AR);
    switch (TYPE(s->ar)) {
    case 3: /* data: real mode's CS in an unrestricted guest */
        return DPL(s->ar) ? "DPL must be 0 with type 3" : NULL;
    case 9:
    case 11:
        return DPL(s->ar) != DPL(ss) ? "DPL must equal that of SS (not conforming)" : NULL;
    case 13:
    case 15:
        return DPL(s->ar) > DPL(ss) ? "DPL must not be above that of SS (conforming)" : NULL;
    }
    return "type must be 3, 9, 11, 13 or 15 (accessed code)";
}

static const char *code(const struct segment *s)
{
    const char *why = code_type(s);
    if (why)
        return why;
    if ((vmcs_read(VMCS_ENTRY_CTLS) & ENTRY_IA32E) && (s->ar & SEG_AR_L) && (s->ar & SEG_AR_DB))
        return "D must be 0 if L is 1 in IA-32e mode";
    return NULL;
}

static const char *stack(const struct segment *s)
{
    bool real = !(vmcs_read(VMCS_G_CR0) & CR0_PE);
    if (TYPE(s->ar) != 3 && TYPE(s->ar) != 7)
        return "type must be 3 or 7 (read/write, accessed data)";
    if ((TYPE(vmcs_read(VMCS_G_CS_AR)) == 3 || real) && DPL(s->ar))
        return "DPL must be 0 in real mode and while CS has type 3";
    return NULL;
}

static const char *data(const struct segment *s)
{
    if (!(s->ar & 1))
        return "type must be accessed";
    if ((s->ar & 8) && !(s->ar & 2))
        return "a code segment must be readable";
    return NULL;
}

static const char *tr(const struct segment *s)
{
    bool ia32e = vmcs_read(VMCS_ENTRY_CTLS) & ENTRY_IA32E;
    if (s->ar & SEG_AR_UNUSABLE)
        return "must be usable";
    if (TI(s->selector))
        return "TI must be 0";
    if (TYPE(s->ar) != 11 && (ia32e || TYPE(s->ar) != 3))
        return "type must be 11 (busy TSS), or 3 outside IA-32e mode";
    if (s->ar & SEG_AR_S)
        return "S must be 0 (system)";
    return common_rights(s);
}

static const char *ldtr(const struct segment *s)
{
    if (s->ar & SEG_AR_UNUSABLE)
        return NULL;
    if (TI(s->selector))
        return "TI must be 0";
    if (TYPE(s->ar) != 2)
        return "type must be 2 (LDT)";
    if (s->ar & SEG_AR_S)
        return "S must be 0 (system)";
    return common_rights(s);
}

static const char *ordinary(const struct segment *s, unsigned seg)
{
    if (seg != SEG_CS && (s->ar & SEG_AR_UNUSABLE))
        return NULL;
    if (!(s->ar & SEG_AR_S))
        return "S must be 1 (code or data)";
    const char *why = seg == SEG_CS ? code(s) : seg == SEG_SS ? stack(s) : data(s);
    return why ? why : common_rights(s);
}

/* Bases of CS, SS, DS and ES have 32 bits; the others want a canonical address. */
static const char *base(const struct segment *s, unsigned seg)
{
    bool wide = seg >= SEG_FS;
    if (wide && !(seg == SEG_LDTR && (s->ar & SEG_AR_UNUSABLE)) && !is_canonical(s->base))
        return "the base must be canonical";
    if (!wide && (seg == SEG_CS || !(s->ar & SEG_AR_UNUSABLE)) && s->base >> 32)
        return "the base's bits 63:32 must be 0";
    return NULL;
}

const char *check_segment(unsigned seg)
{
    struct segment s = {
        .base = vmcs_read(vmcs_nth(VMCS_G_ES_BASE, seg)),
        .limit = vmcs_read(vmcs_nth(VMCS_G_ES_LIMIT, seg)),
        .ar = vmcs_read(vmcs_nth(VMCS_G_ES_AR, seg)),
        .selector = vmcs_read(vmcs_nth(VMCS_G_ES_SEL, seg)),
    };
    const char *why;
    if (seg < SEG_LDTR && (vmcs_read(VMCS_G_RFLAGS) & RFLAGS_VM))
        why = virtual_8086(&s);
    else if (seg == SEG_TR)
        why = tr(&s);
    else
        why = seg == SEG_LDTR ? ldtr(&s) : ordinary(&s, seg);
    if (!why)
        why = base(&s, seg);
    return why ? say(seg, why) : NULL;
}
