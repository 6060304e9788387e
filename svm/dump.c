/*
 * A vCPU in words: its VMCB field by field.
 */
#include "lib/log.h"
#include "svm/vcpu.h"
#include "virt/virt.h"

#define FIELDS_A_PART 8

#define FIELD(member) offsetof(struct vmcb, member), sizeof(((struct vmcb *)0)->member)

static const struct {
    const char *name;
    uint16_t at, bytes;
} fields[] = {
    { "intercepts: CR read, write", FIELD(intercepts[0]) },
    { "intercepts: exceptions", FIELD(intercepts[2]) },
    { "intercepts, word 3", FIELD(intercepts[3]) },
    { "intercepts, word 4", FIELD(intercepts[4]) },
    { "I/O permission map", FIELD(iopm) },
    { "MSR permission map", FIELD(msrpm) },
    { "TSC offset", FIELD(tsc_offset) },
    { "ASID", FIELD(asid) },
    { "TLB control", FIELD(tlb_control) },
    { "virtual interrupt", FIELD(vintr) },
    { "interrupt shadow", FIELD(int_state) },
    { "exit code", FIELD(exit_code) },
    { "EXITINFO1", FIELD(exit_info1) },
    { "EXITINFO2", FIELD(exit_info2) },
    { "EXITINTINFO", FIELD(exit_int_info) },
    { "EVENTINJ", FIELD(event_inj) },
    { "nested control", FIELD(nested_control) },
    { "AVIC registers", FIELD(avic_backing) },
    { "AVIC table", FIELD(avic_physical) },
    { "nested CR3", FIELD(nested_cr3) },
    { "clean bits", FIELD(clean) },
    { "next RIP", FIELD(next_rip) },
    { "CPL", FIELD(cpl) },
    { "EFER", FIELD(efer) },
    { "CR0", FIELD(cr0) },
    { "CR2", FIELD(cr2) },
    { "CR3", FIELD(cr3) },
    { "CR4", FIELD(cr4) },
    { "DR6", FIELD(dr6) },
    { "DR7", FIELD(dr7) },
    { "RFLAGS", FIELD(rflags) },
    { "RIP", FIELD(rip) },
    { "RSP", FIELD(rsp) },
    { "GDTR's base", FIELD(segment[VMCB_GDTR].base) },
    { "GDTR's limit", FIELD(segment[VMCB_GDTR].limit) },
    { "IDTR's base", FIELD(segment[VMCB_IDTR].base) },
    { "IDTR's limit", FIELD(segment[VMCB_IDTR].limit) },
    { "PAT", FIELD(g_pat) },
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static uint64_t value_of(const struct vmcb *vmcb, uint16_t at, uint16_t bytes)
{
    const char *p = (const char *)vmcb + at;

    return bytes == 8   ? *(const uint64_t *)p
           : bytes == 4 ? *(const uint32_t *)p
                        : *(const uint8_t *)p;
}

bool virt_dump_control(const struct virt_vcpu *v, unsigned part)
{
    unsigned end = (part + 1) * FIELDS_A_PART;

    if (!v->loaded)
        return false;
    for (unsigned i = part * FIELDS_A_PART; i < end && i < FIELD_COUNT; i++)
        log_answer("  %03x %-42s %016lx", fields[i].at, fields[i].name,
                   value_of(vmcb_of(v), fields[i].at, fields[i].bytes));
    return end < FIELD_COUNT;
}
