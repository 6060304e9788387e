/*
 * What the boot loader says. See guest/lib/start_info.h.
 */
#include "guest/lib/start_info.h"
#include "include/public/hvm/start_info.h"

#define MULTIBOOT_HAS_CMDLINE 4u

struct multiboot {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

const char *start_cmdline(const void *boot_information)
{
    const struct xen_hvm_start_info *pvh = boot_information;
    const struct multiboot *mb = boot_information;

    if (pvh->magic == XEN_HVM_START_MAGIC)
        return pvh->cmdline_paddr ? (const char *)pvh->cmdline_paddr : "";
    return mb->flags & MULTIBOOT_HAS_CMDLINE ? (const char *)(uint64_t)mb->cmdline : "";
}

/* What follows key= if the word at p begins with that, else NULL. */
static const char *after_key(const char *p, const char *key)
{
    while (*key && *p == *key)
        p++, key++;
    return *key == '\0' && *p == '=' ? p + 1 : (const char *)0;
}

uint64_t start_number(const void *boot_information, const char *key, uint64_t otherwise)
{
    const char *value = (const char *)0;
    uint64_t number = 0;

    for (const char *p = start_cmdline(boot_information); *p && !value; p++)
        value = after_key(p, key);
    if (!value)
        return otherwise;
    for (; *value >= '0' && *value <= '9'; value++)
        number = number * 10 + (uint64_t)(*value - '0');
    return number;
}
