/*
 * A vCPU in words: its VMCS field by field.
 */
#include "lib/log.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

#define FIELDS_A_PART 8 /* of a VMCS */

static void dump_field(const char *name, enum vmcs_field field, uint64_t value)
{
    log_answer("  %04x %-42s %016lx", field, name, value);
}

bool virt_dump_control(const struct virt_vcpu *v, unsigned part)
{
    return v->loaded && vmcs_walk(part * FIELDS_A_PART, FIELDS_A_PART, dump_field);
}
