/*
 * From exit reasons to typed exits: one row a reason, one small function for each that has more
 * to tell. Sources: SDM, appendix "VMX Basic Exit Reasons"; "Basic VM-Exit Information".
 */
#include "vmx/exit.h"

#include "arch/x86/cpu.h"
#include "vmx/event.h"
#include "vmx/vcpu.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

static void decode_io(struct virt_vcpu *v, struct virt_exit *x)
{
    (void)v;
    exit_decode_io(x);
}

static void decode_vmcall(struct virt_vcpu *v, struct virt_exit *x)
{
    (void)v;
    exit_decode_vmcall(x);
}

/* SDM, "Exit Qualification for Control-Register Accesses". */
static void decode_cr(struct virt_vcpu *v, struct virt_exit *x)
{
    (void)v;
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    x->cr.number = q & 15;
    x->cr.op = q >> 4 & 3;
    x->cr.gpr = (enum gpr)(q >> 8 & 15);
    x->cr.lmsw = q >> 16;
    if (x->cr.op == CR_CLTS || x->cr.op == CR_LMSW)
        x->cr.number = 0;
}

/* SDM, "Exit Qualification for EPT Violations". */
static void decode_memory(struct virt_vcpu *v, struct virt_exit *x)
{
    event_collect(v, REASON_EPT_VIOLATION);
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    x->memory.gpa = gpa(vmcs_read(VMCS_EXIT_GPA));
    x->memory.read = q & 1;
    x->memory.write = q & 2;
    x->memory.fetch = q & 4;
    x->memory.present = q & 0x38;
    x->memory.gva_valid = q & 0x80;
    x->memory.gva = gva(x->memory.gva_valid ? vmcs_read(VMCS_EXIT_GVA) : 0);
    x->memory.page_walk = x->memory.gva_valid && !(q & 0x100);
    x->memory.delivery = v->pending.valid;
}

/* SDM, "Exit Qualification for APIC-Access VM Exits": its access types. */
enum apic_access {
    ACCESS_READ = 0,
    ACCESS_WRITE = 1,
    ACCESS_FETCH = 2,
    ACCESS_DELIVERY = 3,
    ACCESS_DELIVERY_WALK = 10,
    ACCESS_WALK = 15
};

/* The local APIC's page, where it is virtualized but this access is not: memory without rights. The
 * linear address of a page walk there is not told; no guest of good will has its tables there. */
static void decode_apic_access(struct virt_vcpu *v, struct virt_exit *x)
{
    event_collect(v, REASON_APIC_ACCESS);
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    enum apic_access type = q >> 12 & 15;
    x->memory.gpa = gpa(vmx_of(v)->apic_base.v + (q & 0xFFF));
    x->memory.gva = gva(0);
    x->memory.gva_valid = x->memory.page_walk = false;
    x->memory.read = type == ACCESS_READ;
    x->memory.write = type == ACCESS_WRITE;
    x->memory.fetch = type == ACCESS_FETCH;
    x->memory.present = true;
    x->memory.delivery = v->pending.valid || type == ACCESS_DELIVERY ||
                         type == ACCESS_DELIVERY_WALK || type == ACCESS_WALK;
}

static void decode_apic_write(struct virt_vcpu *v, struct virt_exit *x)
{
    (void)v;
    x->apic.offset = vmcs_read(VMCS_EXIT_QUALIFICATION) & 0xFFF;
}

static void decode_eoi(struct virt_vcpu *v, struct virt_exit *x)
{
    (void)v;
    x->apic.vector = (uint8_t)vmcs_read(VMCS_EXIT_QUALIFICATION);
}

/* NMI and #MC are the machine's, whatever the guest was doing. */
static void decode_exception(struct virt_vcpu *v, struct virt_exit *x)
{
    event_collect(v, REASON_EXCEPTION);
    uint32_t info = vmcs_read(VMCS_EXIT_EVENT);
    x->exception = event_decode(info, vmcs_read(VMCS_EXIT_EVENT_ERROR));
    if (x->exception.type == EVENT_NMI || x->exception.vector == VECTOR_MC)
        x->kind = VIRT_EXIT_HOST;
    if (x->exception.type == EVENT_SOFT_EXC || x->exception.type == EVENT_PRIV_SOFT_EXC)
        x->exception.insn_len = vmcs_read(VMCS_EXIT_INSN_LEN);
}

/* SDM, "Exit Qualification for Task Switches". Of an event that no instruction has made, no length
 * is told. */
static void decode_task(struct virt_vcpu *v, struct virt_exit *x)
{
    event_collect(v, REASON_TASK_SWITCH);
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    bool gate = (q >> 30 & 3) == TASK_GATE;
    x->task = (struct virt_task){ .by = (enum task_by)(q >> 30 & 3), .selector = (uint16_t)q };
    if (gate)
        x->task.event = v->pending;
    x->task.length = gate ? x->task.event.insn_len : (uint8_t)vmcs_read(VMCS_EXIT_INSN_LEN);
}

const struct exit_row exit_rows[EXIT_ROWS] = {
    [REASON_EXCEPTION] = { VIRT_EXIT_EXCEPTION, decode_exception },
    [REASON_EXTINT] = { .kind = VIRT_EXIT_HOST },
    [2] = { .kind = VIRT_EXIT_TRIPLE_FAULT },
    [3] = { .kind = VIRT_EXIT_INIT },
    [REASON_IRQ_WINDOW] = { .kind = VIRT_EXIT_IRQ_WINDOW },
    [REASON_NMI_WINDOW] = { .kind = VIRT_EXIT_NMI_WINDOW },
    [REASON_TASK_SWITCH] = { VIRT_EXIT_TASK_SWITCH, decode_task },
    [10] = { .kind = VIRT_EXIT_CPUID },
    [11] = { .kind = VIRT_EXIT_VIRT_INSN }, /* GETSEC */
    [12] = { .kind = VIRT_EXIT_HLT },
    [13] = { .kind = VIRT_EXIT_WBINVD }, /* INVD */
    [15] = { .kind = VIRT_EXIT_RDPMC },
    [17] = { .kind = VIRT_EXIT_VIRT_INSN }, /* RSM */
    [REASON_VMCALL] = { VIRT_EXIT_HYPERCALL, decode_vmcall },
    /* VMCLEAR, VMLAUNCH, VMPTRLD, VMPTRST, VMREAD, VMRESUME, VMWRITE, VMXOFF, VMXON */
    [19 ... 27] = { .kind = VIRT_EXIT_VIRT_INSN },
    [28] = { VIRT_EXIT_CR, decode_cr },
    [29] = { .kind = VIRT_EXIT_DEBUG_REGISTER },
    [REASON_IO] = { VIRT_EXIT_IO, decode_io },
    [31] = { .kind = VIRT_EXIT_RDMSR },
    [32] = { .kind = VIRT_EXIT_WRMSR },
    [36] = { .kind = VIRT_EXIT_MONITOR }, /* MWAIT */
    [39] = { .kind = VIRT_EXIT_MONITOR }, /* MONITOR */
    [40] = { .kind = VIRT_EXIT_PAUSE },
    [REASON_TPR] = { .kind = VIRT_EXIT_TPR },
    [REASON_APIC_ACCESS] = { VIRT_EXIT_MEMORY, decode_apic_access },
    [REASON_EOI] = { VIRT_EXIT_EOI, decode_eoi },
    [REASON_EPT_VIOLATION] = { VIRT_EXIT_MEMORY, decode_memory },
    [50] = { .kind = VIRT_EXIT_VIRT_INSN },      /* INVEPT */
    [REASON_TIMER] = { .kind = VIRT_EXIT_HOST }, /* run_settle() knows whose deadline it was */
    [53] = { .kind = VIRT_EXIT_VIRT_INSN },      /* INVVPID */
    [54] = { .kind = VIRT_EXIT_WBINVD },
    [55] = { .kind = VIRT_EXIT_XSETBV },
    [REASON_APIC_WRITE] = { VIRT_EXIT_APIC_WRITE, decode_apic_write },
    [59] = { .kind = VIRT_EXIT_VIRT_INSN }, /* VMFUNC */
};
