/*
 * The control domain reads Caisson's log (`xl dmesg`), and has things said there (`xl debug-keys`).
 *
 * It gets the lines as they are kept, without the word in front by which the operator knows them
 * for Caisson's own (lib/log.h): else it could write lines that look like them.
 */
#include "control/control.h"
#include "control/sysctl.h"
#include "lib/log.h"
#include "lifecycle/throttle.h"
#include "mm/frame.h"
#include "mm/promise.h"

#define READ_MOST 1024 /* bytes in one call; tools call until nothing comes */
#define KEYS_MOST 16

/* ---- Reading ---- */

static uint64_t cleared; /* what is before that is not wanted any more; under the caller's lock */

/* Of all places in the log that end in these 32 bits the last one. */
static uint64_t place_of(uint32_t index)
{
    uint64_t end = log_end();
    uint32_t back = (uint32_t)end - index;

    return back <= end ? end - back : 0;
}

/* Whole lines. */
int64_t sysctl_readconsole(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_readconsole *arg = &op->u.readconsole;
    uint64_t at = arg->incremental ? place_of(arg->index) : 0, next;
    uint32_t most = arg->count < READ_MOST ? arg->count : READ_MOST, done = 0;
    char line[LOG_LINE_BYTES];
    size_t n;

    next = at = at > cleared ? at : cleared;
    while ((n = log_read(&next, line)) && n <= most - done) {
        if (gva_copy_out(&v->space, arg->buffer + done, line, n))
            return -EFAULT;
        done += (uint32_t)n;
        at = next;
    }
    if (arg->clear)
        cleared = at;
    arg->count = done;
    arg->index = (uint32_t)at;
    return 0;
}

/* ---- Keys ---- */

static void say_keys(void);

static void say_memory(void)
{
    log_info(CONTROL_KEY " m: %lu frames, %lu of them and %lu of the heap's promised to nobody",
             frame_total(), frame_available(), promise_heap_free());
}

static const struct {
    char key;
    void (*fn)(void);
} keys[] = { { 'h', say_keys }, { 'm', say_memory } };

static void say_keys(void)
{
    log_info(CONTROL_KEY " h: h for this line, m for the machine's memory");
}

/* Those that mean nothing are passed over, as on Xen. */
static void press(char key)
{
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i].key == key)
            keys[i].fn();
}

int64_t sysctl_debug_keys(struct vcpu *v, struct xen_sysctl *op)
{
    const struct xen_sysctl_debug_keys *arg = &op->u.debug_keys;
    char pressed[KEYS_MOST];

    if (arg->nr_keys > sizeof(pressed))
        return -E2BIG;
    if (gva_copy_in(&v->space, pressed, arg->keys, arg->nr_keys))
        return -EFAULT;
    for (unsigned i = 0; i < arg->nr_keys; i++)
        press(pressed[i]);
    return 0;
}
