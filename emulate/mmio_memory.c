/*
 * Instructions with one operand in device memory, but for the plain moves that mmio.c does itself.
 * See emulate/mmio_form.h.
 */
#include "arch/x86/cpu.h"
#include "decode/decode.h"
#include "emulate/emulator.h"
#include "emulate/mmio_form.h"
#include "emulate/operand.h"
#include "emulate/operate.h"
#include "emulate/selector.h"
#include "emulate/vector.h"
#include "emulate/x87.h"
#include "machine/machine.h"

/* ---- The memory operand ---- */

/* Where it is: the device's register that the exit named, or, if it may be in two pages, an address
 * yet to be translated. */
struct place {
    bool whole;
    gpa_t at;     /* if whole */
    gva_t linear; /* else */
};

static int find_place(struct emulator *e, const struct decode *insn, gpa_t at, struct place *p)
{
    /* Breakpoints want it linear. With a mask, the exit may name a byte in the middle. */
    bool linear = e->breakpoints.armed || insn->mask >= 0;

    p->whole = !linear && mmio_lies_in_page(at, insn->size);
    p->at = at;
    if (p->whole)
        return 0;
    int err = operand_effective(e, insn, operate_writes(insn), &p->linear);
    p->whole = !err && !linear && !((p->linear.v ^ at.v) & ~PAGE_MASK) &&
               (at.v & ~PAGE_MASK) + insn->size <= PAGE_SIZE;
    return err;
}

/* 8 bytes at most. */
static int access(struct emulator *e, const struct place *p, unsigned skip, uint64_t *value,
                  unsigned size, bool write)
{
    if (!p->whole)
        return operand_access(e, operand_further(e, p->linear, skip), value, size, write);
    if (write)
        machine_mmio_write(e->machine, e->lapic, gpa(p->at.v + skip), size, *value);
    else
        *value = machine_mmio_read(e->machine, e->lapic, gpa(p->at.v + skip), size);
    return 0;
}

static int access_all(struct emulator *e, const struct place *p, const struct decode *insn,
                      uint64_t value[4], bool write)
{
    int err = access(e, p, 0, &value[0], insn->size < 8 ? insn->size : 8, write);

    for (unsigned skip = 8; !err && skip < insn->size; skip += 8) {
        unsigned rest = insn->size - skip;
        err = access(e, p, skip, &value[skip / 8], rest < 8 ? rest : 8, write);
    }
    return err;
}

static uint64_t byte_of(const uint64_t value[4], unsigned i)
{
    return value[i / 8] >> i % 8 * 8 & 0xFF;
}

/* Each of the bytes by itself. */
static int store_masked(struct emulator *e, const struct place *p, const struct decode *insn,
                        const uint64_t value[4])
{
    uint64_t mask[4];
    int err = 0;

    vector_mask(e->virt, insn, mask);
    for (unsigned i = 0; !err && i < insn->size; i++) {
        uint64_t byte = byte_of(value, i);
        if (byte_of(mask, i) & 0x80)
            err = access(e, p, i, &byte, 1, true);
    }
    return err;
}

static int store(struct emulator *e, const struct place *p, const struct decode *insn,
                 uint64_t value[4])
{
    return insn->mask >= 0 ? store_masked(e, p, insn, value) : access_all(e, p, insn, value, true);
}

/* A fault of the writing has to come before the reading has had its effects. */
static int probe(struct emulator *e, const struct place *p, const struct decode *insn)
{
    return p->whole || !operate_writes(insn) ? 0 : operand_probe_write(e, p->linear, insn->size);
}

/* ---- The instruction ---- */

static bool is_x87(const struct decode *insn)
{
    return insn->op == DECODE_X87_LOAD || insn->op == DECODE_X87_STORE;
}

/* What would have been a fault before there was an exit, had another vCPU not changed the code. */
static int check(struct emulator *e, const struct decode *insn, const struct place *p)
{
    if (is_x87(insn))
        return x87_check(e, insn);
    bool vector = insn->op == DECODE_VECTOR_LOAD || insn->op == DECODE_VECTOR_STORE;
    if (insn->aligned && ((p->whole ? p->at.v : p->linear.v) & (insn->size - 1u)))
        return emulator_refuse(e, VECTOR_GP);
    return vector ? vector_check(e, insn) : 0;
}

static int carry_out(struct emulator *e, const struct decode *insn, const struct place *p)
{
    struct operation o = { .flags = virt_rflags(e->virt) };

    int err = check(e, insn, p);
    if (!err)
        err = probe(e, p, insn);
    if (!err && operate_reads(insn->op))
        err = access_all(e, p, insn, o.memory, false);
    if (err)
        return err;
    if (insn->op == DECODE_LOAD_SELECTOR)
        return selector_load(e, (enum seg)insn->reg, (uint16_t)o.memory[0]);
    if (is_x87(insn))
        err = x87_operate(e, insn, &o);
    else if (operate(e->virt, insn, &o))
        err = emulator_refuse(e, VECTOR_DE);
    if (err)
        return err;
    err = o.writes ? store(e, p, insn, o.memory) : 0;
    if (!err)
        operate_finish(e->virt, insn, &o);
    return err;
}

int mmio_memory(struct emulator *e, const struct decode *insn, gpa_t at)
{
    struct place p;
    int err = find_place(e, insn, at, &p);

    if (!err)
        err = carry_out(e, insn, &p);
    if (!err)
        virt_skip_len(e->virt, insn->length);
    return err;
}
