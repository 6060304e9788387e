/*
 * A vCPU in words: its registers, for people.
 */
#include "arch/x86/insn.h"
#include "lib/log.h"
#include "virt/virt.h"

static const char *const seg_names[SEG_COUNT] = {
    "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"
};

static void dump_gprs(const struct virt_vcpu *v)
{
    static const char *const names[GPR_COUNT] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP",
                                                  "RSI", "RDI", "R8 ", "R9 ", "R10", "R11",
                                                  "R12", "R13", "R14", "R15" };
    for (unsigned n = 0; n < GPR_COUNT; n += 4)
        log_answer("  %s %016lx  %s %016lx  %s %016lx  %s %016lx", names[n],
                   virt_gpr(v, (enum gpr)n), names[n + 1], virt_gpr(v, (enum gpr)(n + 1)),
                   names[n + 2], virt_gpr(v, (enum gpr)(n + 2)), names[n + 3],
                   virt_gpr(v, (enum gpr)(n + 3)));
}

static void dump_segments(const struct virt_vcpu *v)
{
    for (unsigned s = 0; s < SEG_COUNT; s++) {
        struct segment seg;
        virt_segment(v, (enum seg)s, &seg);
        log_answer("  %-4s %04x  base %016lx  limit %08x  rights %05x", seg_names[s], seg.selector,
                   seg.base, seg.limit, seg.ar);
    }
}

bool virt_dump_regs(const struct virt_vcpu *v, unsigned part)
{
    if (!v->loaded) {
        log_answer("  (the vCPU is not loaded)");
        return false;
    }
    if (part) {
        dump_segments(v);
        if (v->pending.valid)
            log_answer("  pending: vector %u type %d error 0x%x", v->pending.vector,
                       v->pending.type, v->pending.error);
        return false;
    }
    log_answer("  RIP %016lx  RFLAGS %08lx  CPL %u", virt_rip(v), virt_rflags(v), virt_cpl(v));
    dump_gprs(v);
    log_answer("  CR0 %08lx  CR2 %016lx  CR3 %016lx  CR4 %08lx  EFER %lx  XCR0 %lx", virt_cr0(v),
               read_cr2(), virt_cr3(v), virt_cr4(v), virt_efer(v), v->xcr0);
    return true;
}
