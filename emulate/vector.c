/*
 * Vector moves. See emulate/vector.h. Source: SDM volume 2, "Exception Classifications", and each
 * of the moves.
 */
#include "emulate/vector.h"
#include "arch/x86/cpu.h"
#include "decode/decode.h"
#include "emulate/emulator.h"
#include "virt/fpu.h"

int vector_check(struct emulator *e, const struct decode *insn)
{
    uint64_t cr0 = virt_cr0(e->virt), cr4 = virt_cr4(e->virt);
    bool ok = !(cr0 & CR0_EM) && (insn->mmx || (cr4 & CR4_OSFXSR));

    if (insn->vex)
        ok = (cr0 & CR0_PE) && !(virt_rflags(e->virt) & RFLAGS_VM) && (cr4 & CR4_OSXSAVE) &&
             fpu_has_avx(e->virt);
    if (!ok)
        return emulator_refuse(e, VECTOR_UD);
    return cr0 & CR0_TS ? emulator_refuse(e, VECTOR_NM) : 0;
}

static void read(struct virt_vcpu *v, const struct decode *insn, int n, uint64_t value[4])
{
    if (insn->mmx)
        value[0] = fpu_read_mmx(v, (unsigned)n);
    else
        fpu_read_vector(v, (unsigned)n, value);
}

void vector_source(struct virt_vcpu *v, const struct decode *insn, uint64_t value[4])
{
    read(v, insn, insn->reg, value);
    if (insn->high_half)
        value[0] = value[1];
}

void vector_mask(struct virt_vcpu *v, const struct decode *insn, uint64_t value[4])
{
    read(v, insn, insn->mask, value);
}

void vector_finish(struct virt_vcpu *v, const struct decode *insn, const uint64_t value[4])
{
    uint64_t all[4] = { 0 };
    unsigned n = (unsigned)insn->reg;

    if (insn->mmx) {
        fpu_write_mmx(v, n, value[0]);
        return;
    }
    if (insn->keeps)
        fpu_read_vector(v, n, all);
    for (unsigned i = 0; i < (insn->size + 7u) / 8; i++)
        all[insn->high_half ? 1 : i] = value[i];
    fpu_write_vector(v, n, all, insn->vex);
}
