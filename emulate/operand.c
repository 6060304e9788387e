/*
 * Segmentation and faults for emulated instructions. See emulate/operand.h.
 * Sources: SDM volume 3, "Limit Checking", "Type Checking", "Canonicality Checking".
 */
#include "emulate/operand.h"
#include "arch/x86/cpu.h"
#include "emulate/emulator.h"
#include "guestmem/gmem.h"
#include "guestmem/p2m.h"
#include "lib/likely.h"
#include "lib/string.h"
#include "machine/machine.h"

#define TYPE_CODE        8u /* of a code or data segment's type field */
#define TYPE_WRITE_READ  2u /* data: writable; code: readable */
#define TYPE_EXPAND_DOWN 4u

static bool rights_ok(const struct segment *s, bool write)
{
    if (s->ar & SEG_AR_UNUSABLE)
        return false;
    if (s->ar & TYPE_CODE)
        return !write && (s->ar & TYPE_WRITE_READ);
    return !write || (s->ar & TYPE_WRITE_READ);
}

static bool limit_ok(const struct segment *s, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;

    if (!(s->ar & TYPE_CODE) && (s->ar & TYPE_EXPAND_DOWN))
        return offset > s->limit && last <= (s->ar & SEG_AR_DB ? 0xffffffff : 0xffff);
    return last <= s->limit;
}

static int refuse(struct emulator *e, enum seg s)
{
    return emulator_refuse(e, s == SEG_SS ? VECTOR_SS : VECTOR_GP);
}

int operand_linear(struct emulator *e, enum seg s, uint64_t offset, unsigned size, bool write,
                   gva_t *out)
{
    struct segment segment;

    virt_segment(e->virt, s, &segment);
    if (virt_in_64bit_code(e->virt)) {
        *out = gva(offset + (s == SEG_FS || s == SEG_GS ? segment.base : 0));
        return is_canonical(out->v) && is_canonical(out->v + size - 1) ? 0 : refuse(e, s);
    }
    if (!rights_ok(&segment, write) || !limit_ok(&segment, offset, size))
        return refuse(e, s);
    *out = gva((segment.base + offset) & 0xffffffff);
    return 0;
}

/* SDM, "BT--Bit Test": a bit number in a register counts from the operand on, in both directions.
 */
static uint64_t bit_offset(const struct emulator *e, const struct decode *insn)
{
    if (insn->op < DECODE_BT || insn->op > DECODE_BTC || insn->has_immediate)
        return 0;
    int64_t bit = (int64_t)operand_sign_extend(virt_gpr(e->virt, (enum gpr)insn->reg), insn->size);
    return (uint64_t)(bit >> (3 + __builtin_ctz(insn->size))) * insn->size;
}

int operand_effective(struct emulator *e, const struct decode *insn, bool write, gva_t *out)
{
    uint64_t offset = (uint64_t)insn->displacement + bit_offset(e, insn);

    if (insn->base >= 0)
        offset += virt_gpr(e->virt, (enum gpr)insn->base);
    if (insn->index >= 0)
        offset += virt_gpr(e->virt, (enum gpr)insn->index) * insn->scale;
    if (insn->rip_relative)
        offset += virt_rip(e->virt) + insn->length;
    if (insn->op == DECODE_POP && insn->base == GPR_RSP) /* as it is after the reading */
        offset += insn->size;
    return operand_linear(e, (enum seg)insn->segment, operand_truncate(offset, insn->addr_size),
                          insn->size, write, out);
}

gva_t operand_further(const struct emulator *e, gva_t at, unsigned n)
{
    return gva(operand_truncate(at.v + n, virt_in_64bit_code(e->virt) ? 8 : 4));
}

/* Bytes of the page of `at` that an access has. */
static unsigned in_first_page(gva_t at, unsigned size)
{
    uint64_t left = PAGE_SIZE - (at.v & ~PAGE_MASK);

    return left < size ? (unsigned)left : size;
}

/* Where both parts are; where[1] only if there is a second. */
static int translate_parts(struct emulator *e, gva_t at, unsigned size, bool write, gpa_t where[2])
{
    uint32_t rights = (virt_cpl(e->virt) == 3 ? GVA_USER : 0) | (write ? GVA_WRITE : 0);
    unsigned first = in_first_page(at, size);
    int err = gva_translate(e->space, at, rights, &where[0]);

    if (err || first == size)
        return err;
    return gva_translate(e->space, operand_further(e, at, first), rights, &where[1]);
}

int operand_probe_write(struct emulator *e, gva_t at, unsigned size)
{
    gpa_t where[2];

    return translate_parts(e, at, size, true, where);
}

/* In pieces of 1, 2, 4 or 8 bytes. */
static void device_access(struct emulator *e, gpa_t at, uint8_t *bytes, unsigned size, bool write)
{
    for (unsigned n; size; size -= n, bytes += n, at.v += n) {
        uint64_t value = 0;
        n = 1u << (31 - __builtin_clz(size));
        if (write) {
            memcpy(&value, bytes, n);
            machine_mmio_write(e->machine, e->lapic, at, n, value);
        } else {
            value = machine_mmio_read(e->machine, e->lapic, at, n);
            memcpy(bytes, &value, n);
        }
    }
}

/* Within one page. 0 or -ENOMEM. */
static int access_part(struct emulator *e, gpa_t at, uint8_t *bytes, unsigned size, bool write)
{
    struct p2m *p = e->space->p2m;
    int err = -EFAULT;

    if (p2m_is_ram(p, gpa_to_gfn(at)) || !machine_has_mmio(e->machine, e->lapic, at))
        err = write ? gmem_write(p, at, bytes, size) : gmem_read(p, at, bytes, size);
    if (err != -EFAULT)
        return err;
    device_access(e, at, bytes, size, write); /* or nothing is there, a hole in the RAM */
    return 0;
}

int operand_access(struct emulator *e, gva_t at, uint64_t *value, unsigned size, bool write)
{
    unsigned first = in_first_page(at, size);
    gpa_t where[2];
    int err = translate_parts(e, at, size, write, where);

    if (!write)
        *value = 0;
    if (!err)
        err = access_part(e, where[0], (uint8_t *)value, first, write);
    if (!err && first < size)
        err = access_part(e, where[1], (uint8_t *)value + first, size - first, write);
    if (unlikely(e->breakpoints.armed) && !err)
        breakpoints_memory(&e->breakpoints, at, size, write);
    return err;
}

/* ---- The stack ---- */

/* SDM volume 1, "Address-Size Attribute for Stack". */
static unsigned stack_width(struct emulator *e)
{
    struct segment ss;

    if (virt_in_64bit_code(e->virt))
        return 8;
    virt_segment(e->virt, SEG_SS, &ss);
    return ss.ar & SEG_AR_DB ? 4 : 2;
}

void operand_move_stack(struct emulator *e, uint64_t rsp)
{
    uint64_t old = virt_gpr(e->virt, GPR_RSP);

    virt_set_gpr(e->virt, GPR_RSP, operand_merge(old, rsp, stack_width(e)));
}

int operand_stack(struct emulator *e, uint64_t offset, uint64_t *value, unsigned size, bool write)
{
    uint64_t within = operand_truncate(offset, stack_width(e));
    gva_t at;
    int err = operand_linear(e, SEG_SS, within, size, write, &at);

    return err ? err : operand_access(e, at, value, size, write);
}

int operand_push(struct emulator *e, uint64_t value, unsigned size)
{
    uint64_t rsp = virt_gpr(e->virt, GPR_RSP) - size;
    int err = operand_stack(e, rsp, &value, size, true);

    if (!err) /* once all that can fault is done */
        operand_move_stack(e, rsp);
    return err;
}
