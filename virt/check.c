/*
 * What the checks of both back ends after a refused entry share. See virt/check.h.
 * Source: SDM, "IA32_PAT MSR"; APM volume 2, "Page-Attribute Table Mechanism".
 */
#include "virt/check.h"

#include <stdarg.h>
#include "arch/x86/percpu.h"
#include "lib/fmt.h"
#include "lib/limits.h"

#define TEXT_BYTES 160

static char text[MAX_PCPUS][TEXT_BYTES]; /* each pCPU its own */

const char *check_say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fmt_vsn(text[cpu_id()], TEXT_BYTES, fmt, args);
    va_end(args);
    return text[cpu_id()];
}

bool check_is_pat(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t type = value >> 8 * i;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}
