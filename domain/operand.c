/*
 * Segmentation and faults for emulated instructions. See domain/operand.h.
 * Sources: SDM volume 3, "Limit Checking", "Type Checking", "Canonicality Checking".
 */
#include "domain/operand.h"
#include "arch/x86/cpu.h"
#include "domain/domain.h"
#include "domain/vcpu.h"

#define TYPE_CODE        8u /* of a code or data segment's type field */
#define TYPE_WRITE_READ  2u /* data: writable; code: readable */
#define TYPE_EXPAND_DOWN 4u

bool operand_is_64bit(struct vcpu *v)
{
    return vmx_in_64bit_code(&v->vmx);
}

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

static bool canonical(uint64_t at)
{
    int64_t top = (int64_t)at >> 47;

    return top == 0 || top == -1;
}

static int refuse(struct vcpu *v, enum seg s)
{
    struct event e = { .valid = true,
                       .type = EVENT_EXCEPTION,
                       .has_error = true,
                       .vector = s == SEG_SS ? VECTOR_SS : VECTOR_GP };

    vcpu_fault(v, vmx_inject(&v->vmx, &e));
    return -EFAULT;
}

int operand_linear(struct vcpu *v, enum seg s, uint64_t offset, unsigned size, bool write,
                   gva_t *out)
{
    struct segment segment;

    vmx_segment(&v->vmx, s, &segment);
    if (operand_is_64bit(v)) {
        *out = gva(offset + (s == SEG_FS || s == SEG_GS ? segment.base : 0));
        return canonical(out->v) && canonical(out->v + size - 1) ? 0 : refuse(v, s);
    }
    if (!rights_ok(&segment, write) || !limit_ok(&segment, offset, size))
        return refuse(v, s);
    *out = gva((segment.base + offset) & 0xffffffff);
    return 0;
}

int operand_access(struct vcpu *v, gva_t at, uint64_t *value, unsigned size, bool write,
                   struct gva_fault *fault)
{
    uint32_t access = (vmx_cpl(&v->vmx) == 3 ? GVA_USER : 0) | (write ? GVA_WRITE : 0);
    gpa_t where;
    int err = gva_translate(v, at, access, &where, fault);

    if (err)
        return err;
    if (p2m_is_ram(&v->domain->p2m, gpa_to_gfn(where)))
        return write ? gva_write(v, at, value, size, access, fault)
                     : gva_read(v, at, value, size, access, fault);
    if (write)
        machine_mmio_write(&v->domain->machine, v, where, size, *value);
    else
        *value = machine_mmio_read(&v->domain->machine, v, where, size);
    return 0;
}

void operand_fault(struct vcpu *v, int err, const struct gva_fault *fault)
{
    if (err == -EFAULT)
        vcpu_fault(v, vmx_inject_pf(&v->vmx, fault->address, fault->error));
    else
        domain_end(v->domain, END_KILLED, "no memory left for its RAM");
}
