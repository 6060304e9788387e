/*
 * Device memory: fetch the instruction (emulate/insn_cache.h), do what it does. See emulate/mmio.h.
 *
 * The exit tells the guest-physical address, so plain moves need no address arithmetic and no walk
 * but that of the code itself. The other forms are in files of their own (emulate/mmio_form.h).
 */
#include "emulate/mmio.h"
#include "emulate/insn_cache.h"
#include "emulate/decode.h"
#include "domain/domain.h"
#include "guestmem/gva.h"
#include "emulate/mmio_form.h"
#include "emulate/operand.h"
#include "emulate/operate.h"
#include "domain/vcpu.h"
#include "lib/likely.h"
#include "vmx/fast.h"

static void load(struct vcpu *v, const struct decode *insn, gpa_t at)
{
    uint64_t value = machine_mmio_read(&v->domain->machine, v, at, insn->size);

    if (insn->sign_extend)
        value = operand_sign_extend(value, insn->size);
    else
        value = operand_truncate(value, insn->size);
    operate_set_register(v, insn, value);
}

static void store(struct vcpu *v, const struct decode *insn, gpa_t at)
{
    machine_mmio_write(&v->domain->machine, v, at, insn->size, operate_source(v, insn));
}

/* MOV and its kin, all in one page. */
static void plain_move(struct vcpu *v, const struct decode *insn, gpa_t at)
{
    if (insn->op == DECODE_LOAD)
        load(v, insn, at);
    else
        store(v, insn, at);
    if (!v->domain->end)
        virt_skip_len(&v->virt, insn->length);
}

static bool is_plain_move(const struct decode *insn, gpa_t at)
{
    return insn->op <= DECODE_STORE && !insn->swap && mmio_lies_in_page(at, insn->size);
}

/* From a large mapping, perhaps, which becomes small ones. From a device it reads all ones, which
 * is no instruction. */
static void fetched(struct vcpu *v, const struct virt_exit *e)
{
    int err = e->memory.present ? p2m_execute(&v->domain->p2m, gpa_to_gfn(e->memory.gpa)) : -EFAULT;

    if (err == -ENOMEM)
        domain_end(v->domain, END_KILLED, "no memory left for its page tables");
    else if (err)
        vcpu_ud(v);
}

void mmio_handle(struct vcpu *v, const struct virt_exit *e)
{
    if (e->memory.page_walk) { /* page tables where only ones are read: reserved bits are set */
        uint32_t error = GVA_PRESENT | GVA_RESERVED | (e->memory.write ? GVA_WRITE : 0);
        vcpu_fault(v, virt_inject_pf(&v->virt, e->memory.gva, error));
        return;
    }
    if (e->memory.fetch) {
        fetched(v, e);
        return;
    }
    if (e->memory.delivery) { /* what stands at RIP has nothing to do with it */
        domain_end(v->domain, END_KILLED, "an event is delivered through device memory at 0x%lx",
                   e->memory.gpa.v);
        return;
    }
    const struct decode *insn = code_fetch(v, e->memory.gpa);
    if (!insn)
        return;
    if (likely(is_plain_move(insn, e->memory.gpa))) {
        plain_move(v, insn, e->memory.gpa);
        return;
    }
    if (insn->op >= DECODE_PUSH)
        mmio_stack(v, insn);
    else if (decode_is_string(insn->op))
        mmio_string(v, insn);
    else
        mmio_memory(v, insn, e->memory.gpa);
    v->unit.attention = true; /* it may have written where it only read, for all the exit told */
}
