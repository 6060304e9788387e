/*
 * Names of the VMCS fields, and what happens when an access to one fails.
 */
#include "vmx/vmcs.h"

#include <stddef.h>
#include "lib/assert.h"
#include "lib/string.h"

/* In the same order, the names one behind another: half as many bytes as with a pointer to each. */
static const uint16_t numbers[] = {
#define VMCS_NUMBER_ONLY(id, number, name) number,
    VMCS_FIELDS(VMCS_NUMBER_ONLY)
#undef VMCS_NUMBER_ONLY
};
static const char names[] =
#define VMCS_NAME_ONLY(id, number, name) name "\0"
    VMCS_FIELDS(VMCS_NAME_ONLY)
#undef VMCS_NAME_ONLY
    ;
#define FIELD_COUNT (sizeof(numbers) / sizeof(numbers[0]))

static const char *next(const char *name)
{
    return name + strlen(name) + 1;
}

const char *vmcs_field_name(enum vmcs_field field)
{
    const char *name = names;

    for (size_t i = 0; i < FIELD_COUNT; i++, name = next(name))
        if (numbers[i] == field)
            return name;
    return "a field without a name";
}

_Noreturn static void access_failed(const char *verb, enum vmcs_field field)
{
    panic("VMCS: cannot %s %s (field 0x%x)", verb, vmcs_field_name(field), field);
}

_Noreturn void vmcs_read_failed(enum vmcs_field field)
{
    access_failed("read", field);
}

_Noreturn void vmcs_write_failed(enum vmcs_field field)
{
    access_failed("write", field);
}

bool vmcs_walk(unsigned first, unsigned n,
               void (*fn)(const char *name, enum vmcs_field field, uint64_t value))
{
    const char *name = names;

    for (unsigned i = 0; i < FIELD_COUNT && i < first + n; i++, name = next(name)) {
        uint64_t value;
        if (i >= first && vmread(numbers[i], &value))
            fn(name, numbers[i], value);
    }
    return first + n < FIELD_COUNT;
}
