/*
 * Names of the VMCS fields, and what happens when an access to one fails.
 */
#include "vmx/vmcs.h"

#include <stddef.h>
#include "lib/assert.h"

static const struct {
    enum vmcs_field field;
    const char *name;
} fields[] = {
#define VMCS_ROW(id, number, name) { VMCS_##id, name },
    VMCS_FIELDS(VMCS_ROW)
#undef VMCS_ROW
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

const char *vmcs_field_name(enum vmcs_field field)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (fields[i].field == field)
            return fields[i].name;
    return "a field without a name";
}

_Noreturn void vmcs_access_failed(const char *verb, enum vmcs_field field)
{
    panic("VMCS: cannot %s %s (field 0x%x)", verb, vmcs_field_name(field), field);
}

void vmcs_walk(void (*fn)(const char *name, enum vmcs_field field, uint64_t value))
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        uint64_t value;
        if (vmread(fields[i].field, &value))
            fn(fields[i].name, fields[i].field, value);
    }
}
