/*
 * console_io: a guest's words to the operator's console, without a device in between.
 * Source: xen/include/public/xen.h, CONSOLEIO_*.
 */
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "include/public/xen.h"

/* One round carries at most this much, then the call is continued. */
#define CONSOLE_BATCH 256

/* args: command, bytes, pointer; moved on by what the console took. */
static int64_t console_write(struct vcpu *v, uint64_t *args)
{
    uint8_t bytes[CONSOLE_BATCH];
    size_t n = args[1] < sizeof(bytes) ? args[1] : sizeof(bytes), done = 0;

    if (hypercall_copy_in(v, bytes, args[2], n))
        return -EFAULT;
    while (done < n && domain_hooks->console_put(v->domain, bytes[done]))
        done++;
    args[1] -= done;
    args[2] += done;
    return args[1] ? HYPERCALL_CONTINUE : 0;
}

int64_t hypercall_console_io(struct vcpu *v, uint64_t *args)
{
    switch (args[0]) {
    case XEN_CONSOLE_WRITE:
        return console_write(v, args);
    case XEN_CONSOLE_READ:
        return 0; /* nothing: what the operator types goes to COM1 */
    }
    return -ENOSYS;
}
