/*
 * console_io: a guest's words to the operator's console, without a device in between.
 * Source: xen/include/public/xen.h, CONSOLEIO_*.
 */
#include "domain/domain.h"
#include "xen/pv_console.h"
#include "hypercall/hypercall.h"
#include "include/public/xen.h"

/* One round carries at most this much, then the call is continued. */
#define CONSOLE_BATCH 256

/* args: command, bytes, pointer; moved on by what the console took. */
static int64_t console_write(struct vcpu *v, uint64_t *args)
{
    uint8_t bytes[CONSOLE_BATCH];
    size_t n = args[1] < sizeof(bytes) ? args[1] : sizeof(bytes);

    if (gva_copy_in(&v->space, bytes, args[2], n))
        return -EFAULT;
    size_t done = n ? domain_hooks->console_put(v->domain, bytes, n) : 0;
    args[1] -= done;
    args[2] += done;
    return args[1] ? HYPERCALL_CONTINUE : 0;
}

/* What the operator has typed and the guest has not fetched from its console's ring; how many bytes
 * that is. Without a ring he types to COM1. */
static int64_t console_read(struct vcpu *v, uint64_t count, uint64_t at)
{
    uint8_t bytes[CONSOLE_BATCH];
    size_t n = count < sizeof(bytes) ? count : sizeof(bytes);
    uint32_t next;

    if (count > INT32_MAX)
        return -E2BIG;
    n = pv_console_peek(&v->domain->xen, bytes, n, &next);
    if (n == 0)
        return 0;
    if (gva_copy_out(&v->space, at, bytes, n))
        return -EFAULT;
    pv_console_take(&v->domain->xen, next);
    return (int64_t)n;
}

int64_t hypercall_console_io(struct vcpu *v, uint64_t *args)
{
    switch (args[0]) {
    case XEN_CONSOLE_WRITE:
        return console_write(v, args);
    case XEN_CONSOLE_READ:
        return console_read(v, args[1], args[2]);
    }
    return -ENOSYS;
}
