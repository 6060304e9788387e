/*
 * Exit codes, as the typed exits that virt.h promises.
 */
#ifndef CAISSON_SVM_EXIT_H
#define CAISSON_SVM_EXIT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/likely.h"
#include "svm/caps.h"
#include "svm/cr.h"
#include "svm/event.h"
#include "svm/vcpu.h"
#include "svm/vmcb.h"
#include "virt/virt.h"

/* What each exit code means; the instruction that makes it, if that is to be stepped over; and
 * whether there is more to be found out by exit_look(). */
#define EXIT_ROWS 0x8F
extern const struct exit_row {
    uint8_t kind;
    bool look;
    uint16_t opcode; /* struct decoded has it; or 0 */
} svm_exit_rows[EXIT_ROWS];

/* The rare ones. */
void exit_look(struct virt_vcpu *v, uint32_t code, struct virt_exit *x);
/* An exit code beyond the table. */
void exit_odd(struct virt_vcpu *v, uint32_t code, struct virt_exit *x);
/* The next RIP, from the instruction's bytes. */
void exit_measure(struct virt_vcpu *v, uint32_t code, struct virt_exit *x);
/* #UD: true if it was VMCALL, the other vendor's hypercall instruction. */
bool exit_is_vmcall(struct virt_vcpu *v);

/* The frequent ones that have more to tell, in line. */

static inline void exit_decode_io(struct virt_vcpu *v, struct vmcb *vmcb, struct virt_exit *x)
{
    uint32_t info = (uint32_t)vmcb->exit_info1;
    union {
        uint32_t word;
        struct virt_io io;
    } u = { .word = (info >> IOIO_SIZE_SHIFT & 7) | (info & IOIO_IN) << 3 |
                    (info & (IOIO_STRING | IOIO_REP)) << 2 | (info & 0xFFFF0000) };

    x->io = u.io;
    vmcb->next_rip = vmcb->exit_info2;
    if (unlikely(info & IOIO_STRING))
        exit_look(v, EXITCODE_IOIO, x);
}

static inline void exit_decode_vmmcall(const struct vmcb *vmcb, struct virt_exit *x)
{
    bool kernel64 = vmcb->cpl == 0 && cr_in_64bit_code(vmcb);

    x->kind = kernel64 ? VIRT_EXIT_HYPERCALL : VIRT_EXIT_HYPERCALL_OTHER;
}

static inline void exit_decode_memory(const struct vmcb *vmcb, struct virt_exit *x)
{
    uint64_t info = vmcb->exit_info1;

    x->kind = VIRT_EXIT_MEMORY;
    x->memory.gpa = gpa(vmcb->exit_info2);
    x->memory.gva = gva(0);
    x->memory.gva_valid = false;
    x->memory.write = info & NPF_WRITE;
    x->memory.fetch = info & NPF_FETCH;
    x->memory.read = !(info & (NPF_WRITE | NPF_FETCH));
    x->memory.page_walk = info & NPF_PAGE_WALK;
    x->memory.present = info & NPF_PRESENT;
    x->memory.delivery = vmcb->exit_int_info & EVENT_VALID;
}

/* Where the processor has not told the next RIP. An instruction stands where it stood, and is as
 * long as it was, as long as nothing is different that can be seen without looking at memory. */
static inline void exit_find_next(struct virt_vcpu *v, struct svm_vcpu *s, uint32_t code,
                                  struct virt_exit *x)
{
    struct vmcb *vmcb = s->vmcb;
    unsigned i = svm_place_index(vmcb, code);
    struct svm_place now = svm_place_now(vmcb, code);

    if (likely(s->places[i].at == now.at && s->places[i].space == now.space))
        vmcb->next_rip = vmcb->rip + s->lengths[i];
    else
        exit_measure(v, code, x);
}

/* EXIT_UNSETTLED: there is something to be done at once. */
enum exit_decoded { EXIT_UNSETTLED, EXIT_SETTLED };

/* Fills *x from the VMCB. */
static inline enum exit_decoded exit_decode(struct virt_vcpu *v, struct svm_vcpu *s,
                                            struct virt_exit *x)
{
    struct vmcb *vmcb = s->vmcb;
    uint32_t code = (uint32_t)vmcb->exit_code;

    event_collect(v, vmcb);
    if (code == EXITCODE_NPF) {
        exit_decode_memory(vmcb, x);
        return EXIT_SETTLED;
    }
    if (unlikely(code >= EXIT_ROWS)) {
        x->raw_reason = code;
        exit_odd(v, code, x);
        return EXIT_UNSETTLED;
    }
    const struct exit_row *row = &svm_exit_rows[code];
    x->kind = (enum virt_exit_kind)row->kind;
    if (code == EXITCODE_IOIO)
        exit_decode_io(v, vmcb, x);
    else if (code == EXITCODE_MSR)
        x->kind = vmcb->exit_info1 & MSR_EXIT_WRITE ? VIRT_EXIT_WRMSR : VIRT_EXIT_RDMSR;
    else if (code == EXITCODE_VMMCALL)
        exit_decode_vmmcall(vmcb, x);
    else if (unlikely(row->look))
        exit_look(v, code, x);
    if (row->opcode && !svm_has(FEATURE_NEXT_RIP))
        exit_find_next(v, s, code, x);
    if (likely(x->kind > VIRT_EXIT_EXCEPTION))
        return EXIT_SETTLED;
    x->raw_reason = code;
    return EXIT_UNSETTLED;
}

#endif
