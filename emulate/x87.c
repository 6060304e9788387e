/*
 * x87 instructions on device memory. See emulate/x87.h. Source: SDM volume 1, "x87 FPU Exception
 * Handling in Software"; volume 2, "FSTCW/FNSTCW" and its like.
 */
#include "emulate/x87.h"
#include "arch/x86/cpu.h"
#include "emulate/emulator.h"
#include "emulate/operand.h"
#include "emulate/operate.h"
#include "virt/fpu.h"

#define FNSTCW 0x138u /* as the FPU keeps opcodes, but for how memory is addressed */
#define FNSTSW 0x538u

/* They do not wait for an exception that is pending, and always store. */
static bool is_control_store(const struct decode *insn)
{
    unsigned opcode = insn->immediate & 0x738;

    return opcode == FNSTCW || opcode == FNSTSW;
}

int x87_check(struct emulator *e, const struct decode *insn)
{
    if (virt_cr0(e->virt) & (CR0_EM | CR0_TS))
        return emulator_refuse(e, VECTOR_NM);
    return !is_control_store(insn) && fpu_x87_exception() ? emulator_refuse(e, VECTOR_MF) : 0;
}

int x87_operate(struct emulator *e, const struct decode *insn, struct operation *o)
{
    bool store = insn->op == DECODE_X87_STORE;
    struct segment segment;
    gva_t at;

    int err = operand_effective(e, insn, store, &at);
    if (err)
        return err;
    virt_segment(e->virt, (enum seg)insn->segment, &segment);
    bool wide = virt_in_64bit_code(e->virt), based = !wide || insn->segment >= SEG_FS;
    uint64_t offset = based ? at.v - segment.base : at.v;
    struct fpu_x87 x = { .opcode = (uint16_t)insn->immediate,
                         .rip = virt_rip(e->virt),
                         .operand = wide ? offset : (uint32_t)offset };
    bool stored = fpu_x87(e->virt, &x, o->memory) || is_control_store(insn);
    o->writes = store && stored;
    return 0;
}
