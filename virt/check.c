/*
 * The words of both back ends' checks after a refused entry. See virt/check.h.
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
