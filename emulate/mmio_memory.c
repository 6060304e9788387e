/*
 * Instructions with one operand in device memory, but for the plain moves that mmio.c does itself.
 * See emulate/mmio_form.h.
 */
#include "arch/x86/cpu.h"
#include "emulate/decode.h"
#include "domain/domain.h"
#include "guestmem/gva.h"
#include "emulate/mmio_form.h"
#include "emulate/operand.h"
#include "emulate/operate.h"
#include "domain/vcpu.h"
#include "vmx/fast.h"

/* ---- The memory operand ---- */

/* Where it is: the device's register that the exit named, or, if it may be in two pages, an address
 * yet to be translated. */
struct place {
    bool whole;
    gpa_t at;     /* if whole */
    gva_t linear; /* else */
};

/* 0, or the guest has its fault. */
static int find_place(struct vcpu *v, const struct decode *insn, gpa_t at, struct place *p)
{
    p->whole = mmio_lies_in_page(at, insn->size);
    p->at = at;
    if (p->whole)
        return 0;
    int err = operand_effective(v, insn, operate_writes(insn), &p->linear);
    p->whole = !err && !((p->linear.v ^ at.v) & ~PAGE_MASK) &&
               (at.v & ~PAGE_MASK) + insn->size <= PAGE_SIZE;
    return err;
}

/* 8 bytes at most. 0, or the guest has its fault. */
static int access(struct vcpu *v, const struct place *p, unsigned skip, uint64_t *value,
                  unsigned size, bool write)
{
    struct machine *m = &v->domain->machine;

    if (!p->whole)
        return operand_reach(v, gva(p->linear.v + skip), value, size, write);
    if (write)
        machine_mmio_write(m, v, gpa(p->at.v + skip), size, *value);
    else
        *value = machine_mmio_read(m, v, gpa(p->at.v + skip), size);
    return 0;
}

static int access_all(struct vcpu *v, const struct place *p, const struct decode *insn,
                      uint64_t value[2], bool write)
{
    int err = access(v, p, 0, &value[0], insn->size < 8 ? insn->size : 8, write);

    return err || insn->size <= 8 ? err : access(v, p, 8, &value[1], 8, write);
}

/* A fault of the writing has to come before the reading has had its effects. */
static int probe(struct vcpu *v, const struct place *p, const struct decode *insn)
{
    if (p->whole || !operate_writes(insn))
        return 0;
    int err = operand_probe_write(v, p->linear, insn->size);
    if (err)
        operand_fault(v, err);
    return err;
}

/* ---- The forms ---- */

/* CMPXCHG16B wants its operand aligned (SDM volume 2, on its exceptions). */
static bool is_misaligned(const struct decode *insn, const struct place *p)
{
    return insn->size == 16 && ((p->whole ? p->at.v : p->linear.v) & 15);
}

static void divide_error(struct vcpu *v)
{
    struct event e = { .valid = true, .type = EVENT_EXCEPTION, .vector = VECTOR_DE };

    vcpu_fault(v, virt_inject(&v->virt, &e));
}

/* The forms that read, compute and perhaps write back. True if it is done. */
static bool modify(struct vcpu *v, const struct decode *insn, const struct place *p)
{
    struct operation o = { .flags = virt_rflags(&v->virt) };

    if (is_misaligned(insn, p)) {
        vcpu_gp(v);
        return false;
    }
    if (probe(v, p, insn) || (operate_reads(insn->op) && access_all(v, p, insn, o.memory, false)))
        return false;
    if (operate(v, insn, &o)) {
        divide_error(v);
        return false;
    }
    if (o.writes && access_all(v, p, insn, o.memory, true))
        return false;
    operate_finish(v, insn, &o);
    return true;
}

static uint64_t swapped(uint64_t value, unsigned size)
{
    return __builtin_bswap64(value) >> (64 - 8 * size);
}

static bool load(struct vcpu *v, const struct decode *insn, const struct place *p)
{
    uint64_t value;

    if (access(v, p, 0, &value, insn->size, false))
        return false;
    if (insn->swap)
        value = swapped(value, insn->size);
    if (insn->sign_extend)
        value = operand_sign_extend(value, insn->size);
    else
        value = operand_truncate(value, insn->size);
    operate_set_register(v, insn, value);
    return true;
}

static bool store(struct vcpu *v, const struct decode *insn, const struct place *p)
{
    uint64_t value = operate_source(v, insn);

    if (insn->swap)
        value = swapped(value, insn->size);
    return !access(v, p, 0, &value, insn->size, true);
}

static bool exchange(struct vcpu *v, const struct decode *insn, const struct place *p)
{
    uint64_t old, value = operate_register(v, insn);

    if (probe(v, p, insn) || access(v, p, 0, &old, insn->size, false) ||
        access(v, p, 0, &value, insn->size, true))
        return false;
    operate_set_register(v, insn, old);
    return true;
}

static bool carry_out(struct vcpu *v, const struct decode *insn, const struct place *p)
{
    switch (insn->op) {
    case DECODE_LOAD:
        return load(v, insn, p);
    case DECODE_STORE:
        return store(v, insn, p);
    case DECODE_XCHG:
        return exchange(v, insn, p);
    default:
        return modify(v, insn, p);
    }
}

void mmio_memory(struct vcpu *v, const struct decode *insn, gpa_t at)
{
    struct place p;

    if (!find_place(v, insn, at, &p) && carry_out(v, insn, &p) && !v->domain->end)
        virt_skip_len(&v->virt, insn->length);
}
