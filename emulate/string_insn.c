/*
 * String instructions. See emulate/string_insn.h. Source: SDM volume 2, REP, and each of them.
 */
#include "emulate/string_insn.h"
#include "arch/x86/cpu.h"
#include "decode/alu.h"
#include "decode/decode.h"
#include "emulate/emulator.h"
#include "emulate/operand.h"
#include "lib/likely.h"
#include "machine/machine.h"
#include "sched/batch.h"

#define STRING_BATCH 256 /* repetitions of one exit; then the guest runs the rest of them again */

/* ---- One repetition ---- */

static bool uses_rsi(enum decode_op op)
{
    return op != DECODE_STOS && op != DECODE_SCAS && op != DECODE_INS;
}

static bool uses_rdi(enum decode_op op)
{
    return op != DECODE_LODS && op != DECODE_OUTS;
}

static bool compares(enum decode_op op)
{
    return op == DECODE_CMPS || op == DECODE_SCAS;
}

/* Where RSI or RDI points to. */
static int find(struct emulator *e, const struct decode *insn, enum gpr pointer, bool write,
                gva_t *at)
{
    enum seg s = pointer == GPR_RDI ? SEG_ES : (enum seg)insn->segment;
    uint64_t offset = operand_truncate(virt_gpr(e->virt, pointer), insn->addr_size);

    return operand_linear(e, s, offset, insn->size, write, at);
}

static int access(struct emulator *e, const struct decode *insn, enum gpr pointer, bool write,
                  uint64_t *value)
{
    gva_t at;
    int err = find(e, insn, pointer, write, &at);

    return err ? err : operand_access(e, at, value, insn->size, write);
}

static uint16_t port_of(const struct emulator *e)
{
    return (uint16_t)virt_gpr(e->virt, GPR_RDX);
}

static void tell_port(struct emulator *e, const struct decode *insn)
{
    if (unlikely(e->breakpoints.armed))
        breakpoints_port(&e->breakpoints, port_of(e), insn->size);
}

/* A fault comes before the device is read. */
static int input(struct emulator *e, const struct decode *insn)
{
    gva_t at;
    int err = find(e, insn, GPR_RDI, true, &at);

    if (!err)
        err = operand_probe_write(e, at, insn->size);
    if (err)
        return err;
    tell_port(e, insn);
    uint64_t value = machine_port_read(e->machine, port_of(e), insn->size);
    return operand_access(e, at, &value, insn->size, true);
}

static int compare(struct emulator *e, const struct decode *insn, uint64_t value)
{
    uint64_t flags = virt_rflags(e->virt), other;
    int err = access(e, insn, GPR_RDI, false, &other);

    if (err)
        return err;
    alu(DECODE_CMP, value, other, insn->size, &flags);
    virt_set_rflags(e->virt, flags);
    return 0;
}

/* All but the pointers. */
static int step(struct emulator *e, const struct decode *insn)
{
    uint64_t rax = virt_gpr(e->virt, GPR_RAX);
    uint64_t value = operand_truncate(rax, insn->size);
    int err = uses_rsi(insn->op) ? access(e, insn, GPR_RSI, false, &value) : 0;

    if (err)
        return err;
    switch (insn->op) {
    case DECODE_INS:
        return input(e, insn);
    case DECODE_OUTS:
        tell_port(e, insn);
        machine_port_write(e->machine, port_of(e), insn->size, (uint32_t)value);
        return 0;
    case DECODE_LODS:
        virt_set_gpr(e->virt, GPR_RAX, operand_merge(rax, value, insn->size));
        return 0;
    case DECODE_CMPS:
    case DECODE_SCAS:
        return compare(e, insn, value);
    default:
        return access(e, insn, GPR_RDI, true, &value);
    }
}

/* ---- All of them ---- */

static void advance(struct emulator *e, const struct decode *insn, enum gpr pointer)
{
    uint64_t old = virt_gpr(e->virt, pointer);
    uint64_t by = virt_rflags(e->virt) & RFLAGS_DF ? -(uint64_t)insn->size : insn->size;

    virt_set_gpr(e->virt, pointer, operand_merge(old, old + by, insn->addr_size));
}

/* REPE and REPNE end by what was compared, too. */
static bool is_over(const struct emulator *e, const struct decode *insn)
{
    bool equal = virt_rflags(e->virt) & RFLAGS_ZF;

    return compares(insn->op) && (insn->rep ? !equal : equal);
}

/* One at a time where each may trap. */
static unsigned batch_of(const struct emulator *e)
{
    return e->breakpoints.armed || (virt_rflags(e->virt) & RFLAGS_TF) ? 1 : STRING_BATCH;
}

int string_insn_emulate(struct emulator *e, const struct decode *insn)
{
    bool rep = insn->rep || insn->repne;
    uint64_t rcx = virt_gpr(e->virt, GPR_RCX);
    uint64_t count = rep ? operand_truncate(rcx, insn->addr_size) : 1;
    struct batch b = { .most = batch_of(e) };

    while (count && batch_more(&b)) {
        int err = step(e, insn);
        if (err)
            return err;
        if (uses_rsi(insn->op))
            advance(e, insn, GPR_RSI);
        if (uses_rdi(insn->op))
            advance(e, insn, GPR_RDI);
        count--;
        if (rep)
            virt_set_gpr(e->virt, GPR_RCX, operand_merge(rcx, count, insn->addr_size));
        if (rep && is_over(e, insn))
            return 1;
    }
    return !count;
}

/* RF is set in what the trap pushes (SDM volume 3, "Resume Flag"), so that the next repetition is
 * not stopped by a breakpoint at the instruction itself. */
void string_insn_pause(struct emulator *e)
{
    uint64_t flags = virt_rflags(e->virt);

    if (!(flags & RFLAGS_TF) && !e->breakpoints.met)
        return;
    virt_skip_len(e->virt, 0);
    virt_set_rflags(e->virt, flags | RFLAGS_RF);
}
