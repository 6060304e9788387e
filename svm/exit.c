/*
 * From exit codes to typed exits: one row a code, and the instructions that are looked at.
 *
 * A processor with next RIP and decode assists tells all that is wanted. Of one without them the
 * instruction's bytes are fetched (virt_fetch) where the exit code alone does not say enough.
 * Sources: APM volume 2, appendix C "SVM Intercept Exit Codes", "Decode Assists".
 */
#include "svm/exit.h"

#include "arch/x86/cpu.h"
#include "svm/apic.h"
#include "svm/caps.h"
#include "svm/cr.h"
#include "svm/decode.h"
#include "svm/flush.h"
#include "svm/vcpu.h"
#include "virt/virt.h"

#define OPCODE_GROUP_7  0x0F01 /* SMSW, LMSW; VMCALL */
#define OPCODE_MOV_FROM 0x0F20
#define OPCODE_INVD     0x0F08
#define OPCODE_WBINVD   0x0F09
#define OPCODE_WRMSR    0x0F30
#define OPCODE_RDMSR    0x0F32
#define OPCODE_CPUID    0x0FA2
#define OPCODE_PAUSE    0x90
#define OPCODE_HLT      0xF4
#define OPCODE_MOV_TO   0x0F22
#define MODRM_VMCALL    0xC1

const struct exit_row svm_exit_rows[EXIT_ROWS] = {
    [EXITCODE_CR_READ... EXITCODE_CR_WRITE + 15] = { VIRT_EXIT_CR, true, 0 },
    [EXITCODE_DR_READ... EXITCODE_DR_WRITE + 15] = { VIRT_EXIT_DEBUG_REGISTER, false, 0 },
    [EXITCODE_EXCEPTION... EXITCODE_EXCEPTION + 31] = { VIRT_EXIT_EXCEPTION, true, 0 },
    [EXITCODE_INTR] = { VIRT_EXIT_HOST, false, 0 },
    [EXITCODE_NMI] = { VIRT_EXIT_HOST, false, 0 },
    [EXITCODE_SMI] = { VIRT_EXIT_HOST, false, 0 },
    [EXITCODE_INIT] = { VIRT_EXIT_INIT, false, 0 },
    [EXITCODE_VINTR] = { VIRT_EXIT_IRQ_WINDOW, false, 0 },
    [EXITCODE_CR0_SELECTIVE] = { VIRT_EXIT_CR, true, 0 },
    [EXITCODE_RDPMC] = { VIRT_EXIT_RDPMC, false, 0 },
    [EXITCODE_CPUID] = { VIRT_EXIT_CPUID, false, OPCODE_CPUID },
    [EXITCODE_IRET] = { VIRT_EXIT_NMI_WINDOW, false, 0 },
    [EXITCODE_INVD] = { VIRT_EXIT_WBINVD, false, OPCODE_INVD },
    [EXITCODE_PAUSE] = { VIRT_EXIT_PAUSE, false, OPCODE_PAUSE },
    [EXITCODE_HLT] = { VIRT_EXIT_HLT, false, OPCODE_HLT },
    [EXITCODE_INVLPGA] = { VIRT_EXIT_VIRT_INSN, false, 0 },
    [EXITCODE_IOIO] = { VIRT_EXIT_IO, false, 0 },
    [EXITCODE_MSR] = { VIRT_EXIT_RDMSR, false, OPCODE_RDMSR },
    [EXITCODE_TASK_SWITCH] = { VIRT_EXIT_TASK_SWITCH, true, 0 },
    [EXITCODE_SHUTDOWN] = { VIRT_EXIT_TRIPLE_FAULT, false, 0 },
    [EXITCODE_VMRUN] = { VIRT_EXIT_VIRT_INSN, false, 0 },
    [EXITCODE_VMMCALL] = { VIRT_EXIT_HYPERCALL, false, OPCODE_GROUP_7 },
    [EXITCODE_VMLOAD... EXITCODE_SKINIT] = { VIRT_EXIT_VIRT_INSN, false, 0 },
    [EXITCODE_WBINVD] = { VIRT_EXIT_WBINVD, false, OPCODE_WBINVD },
    [EXITCODE_MONITOR... EXITCODE_MWAIT_ARMED] = { VIRT_EXIT_MONITOR, false, 0 },
    [EXITCODE_XSETBV] = { VIRT_EXIT_XSETBV, false, OPCODE_GROUP_7 },
    [EXITCODE_RDPRU] = { VIRT_EXIT_VIRT_INSN, false, 0 },
};

/* ---- The instruction ---- */

/* Fetches and decodes what stands at RIP. False if it cannot be read any more. */
static bool look_at_insn(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);
    uint8_t bytes[DECODE_BYTES];
    unsigned size = 2, count = virt_fetch(v, bytes);

    if (cr_in_64bit_code(s->vmcb))
        size = 8;
    else if ((uint32_t)s->vmcb->segment[VMCB_CS].attr << 4 & SEG_AR_DB)
        size = 4;
    s->insn = decode_exiting(bytes, count, size);
    return count;
}

/* What the processor has not told, or of another instruction than the one that made the exit. */
static void set_length(struct svm_vcpu *s)
{
    s->vmcb->next_rip = s->vmcb->rip + s->insn.length;
}

/* The guest executes it once more. */
static void once_more(struct virt_exit *x)
{
    x->kind = VIRT_EXIT_HOST;
}

/* Another vCPU, or another translation, has changed the code meanwhile: nothing can be said of it.
 */
static void not_known(struct virt_exit *x)
{
    x->kind = VIRT_EXIT_UNKNOWN;
}

/* Is it what the exit code says? QEMU tells INVD as WBINVD. */
static bool is_of_exit(const struct svm_vcpu *s, uint32_t code)
{
    uint16_t opcode = s->insn.opcode;

    if (code == EXITCODE_MSR)
        return opcode == (s->vmcb->exit_info1 & MSR_EXIT_WRITE ? OPCODE_WRMSR : OPCODE_RDMSR);
    return opcode == svm_exit_rows[code].opcode ||
           (code == EXITCODE_WBINVD && opcode == OPCODE_INVD);
}

/* Where another one stands by now, or none that can be read, the guest tries again. */
void exit_measure(struct virt_vcpu *v, uint32_t code, struct virt_exit *x)
{
    struct svm_vcpu *s = svm_of(v);
    const struct vmcb *vmcb = s->vmcb;

    if (!look_at_insn(v) || !s->insn.length || !is_of_exit(s, code)) {
        once_more(x);
        return;
    }
    set_length(s);
    if (vmcb->cpl) /* a process' CR3 may be another's by and by */
        return;
    unsigned i = svm_place_index(vmcb, code);
    s->places[i] = svm_place_now(vmcb, code);
    s->lengths[i] = s->insn.length;
}

static void decode_mov_cr(struct virt_vcpu *v, struct virt_exit *x)
{
    struct svm_vcpu *s = svm_of(v);
    uint16_t opcode = x->cr.op == CR_READ ? OPCODE_MOV_FROM : OPCODE_MOV_TO;

    if (!look_at_insn(v)) {
        once_more(x);
    } else if (s->insn.opcode == OPCODE_GROUP_7) {
        cr_let_cr0_pass(s);
        once_more(x);
    } else if (s->insn.opcode == opcode) {
        x->cr.gpr = (enum gpr)s->insn.rm;
        set_length(s);
    } else {
        not_known(x);
    }
}

static void decode_cr(struct virt_vcpu *v, uint32_t code, struct virt_exit *x)
{
    struct svm_vcpu *s = svm_of(v);
    uint64_t info = s->vmcb->exit_info1;

    x->cr.number = code == EXITCODE_CR0_SELECTIVE ? 0 : code & 15;
    x->cr.op = code < EXITCODE_CR_WRITE ? CR_READ : CR_WRITE;
    x->cr.lmsw = 0;
    if (!svm_has(FEATURE_DECODE) || !svm_has(FEATURE_NEXT_RIP)) {
        decode_mov_cr(v, x);
    } else if (info & CR_EXIT_MOV) {
        x->cr.gpr = (enum gpr)(info & 15);
    } else {
        cr_let_cr0_pass(s);
        once_more(x);
    }
}

/* Of INS and OUTS: address size and segment, which are told with decode assists only. */
static void decode_io_string(struct virt_vcpu *v, struct virt_exit *x)
{
    struct svm_vcpu *s = svm_of(v);

    s->insn.length = 0;
    if (svm_has(FEATURE_DECODE))
        return;
    if (!look_at_insn(v) || s->insn.opcode < 0x6C || s->insn.opcode > 0x6F || !s->insn.length)
        once_more(x); /* another one stands there by now */
}

/* NMI and #MC are the machine's, whatever the guest was doing. #PF and the like do not exit. */
static void decode_exception(const struct vmcb *vmcb, uint32_t code, struct virt_exit *x)
{
    uint8_t vector = (uint8_t)(code - EXITCODE_EXCEPTION);
    bool has_error = ERROR_CODE_VECTORS >> vector & 1;

    x->exception = (struct event){ .valid = true,
                                   .has_error = has_error,
                                   .vector = vector,
                                   .type = EVENT_EXCEPTION,
                                   .error = has_error ? (uint32_t)vmcb->exit_info1 : 0 };
    if (vector == VECTOR_MC)
        x->kind = VIRT_EXIT_HOST;
}

/* Not all processors tell the event whose task gate it is: it is one that no instruction has made,
 * unless there is one to see. */
static struct event event_at_gate(const struct svm_vcpu *s, bool soft)
{
    uint64_t info = s->vmcb->exit_info2;
    struct event e = event_decode(s->vmcb->exit_int_info);

    if (!e.valid)
        e = (struct event){ .valid = true, .type = soft ? EVENT_SOFT_INT : EVENT_EXCEPTION };
    e.has_error = info & TASK_EXIT_HAS_ERROR;
    e.error = e.has_error ? (uint32_t)info : 0;
    return e;
}

/* What has begun it, by the instruction at RIP; none is told the length of. */
static void decode_task_insn(struct svm_vcpu *s, struct virt_task *t)
{
    uint64_t info = s->vmcb->exit_info2;

    if (decode_is_far(&s->insn) && !(s->vmcb->exit_int_info & EVENT_VALID))
        t->by = info & TASK_EXIT_IRET ? TASK_IRET : info & TASK_EXIT_JMP ? TASK_JMP : TASK_CALL;
    if (t->by != TASK_GATE || decode_is_int(&s->insn))
        t->length = s->insn.length;
}

static void decode_task(struct virt_vcpu *v, struct virt_exit *x)
{
    struct svm_vcpu *s = svm_of(v);
    struct event e = event_decode(s->vmcb->exit_int_info);
    bool hard = e.valid && !event_is_soft(&e);

    x->task = (struct virt_task){ .by = TASK_GATE, .selector = (uint16_t)s->vmcb->exit_info1 };
    if (!hard && !look_at_insn(v)) {
        once_more(x);
        return;
    }
    if (!hard)
        decode_task_insn(s, &x->task);
    if (x->task.by != TASK_GATE)
        return;
    x->task.event = event_at_gate(s, x->task.length);
    s->vmcb->rflags &= ~RFLAGS_RF; /* as it is to be in the old TSS */
    if (s->vmcb->exit_info2 & TASK_EXIT_RF)
        s->vmcb->rflags |= RFLAGS_RF;
}

void exit_look(struct virt_vcpu *v, uint32_t code, struct virt_exit *x)
{
    if (code == EXITCODE_IOIO)
        decode_io_string(v, x);
    else if (code >= EXITCODE_EXCEPTION && code < EXITCODE_INTR)
        decode_exception(vmcb_of(v), code, x);
    else if (code == EXITCODE_TASK_SWITCH)
        decode_task(v, x);
    else
        decode_cr(v, code, x);
}

bool exit_is_vmcall(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    if (!look_at_insn(v) || s->insn.lock)
        return false;
    if (s->insn.opcode != OPCODE_GROUP_7 || s->insn.modrm != MODRM_VMCALL)
        return false;
    set_length(s);
    return true;
}

void exit_odd(struct virt_vcpu *v, uint32_t code, struct virt_exit *x)
{
    if (v->delivers && svm_apic_decode(v, code, x))
        return;
    not_known(x);
    if (code != EXITCODE_INVALID)
        return;
    flush_failed();
    x->kind = VIRT_EXIT_ENTRY_FAILED;
}
