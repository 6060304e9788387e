/*
 * What the operator types. See console/input.h.
 */
#include "console/input.h"
#include "lib/log.h"
#include "sched/batch.h"

/* Holds a whole paste: the far end need not know of flow control for 64 KiB to arrive. */
#define PASTE_BYTES 131072
#define HOLD_AT     (PASTE_BYTES - PASTE_BYTES / 4)
#define RELEASE_AT  (PASTE_BYTES / 2)
#define TYPED_BYTES 4096 /* between the interrupt and the work */
#define TYPED_ROOM  128  /* more than a port or a keyboard brings in one interrupt */
#define SWITCHES    3    /* times that the switch key is to be pressed */
#define KEYS_MOST   512  /* that are handed on at a time, unless they take long */

static uint8_t typed_bytes[TYPED_BYTES], paste_bytes[PASTE_BYTES];
static struct ring typed = RING_IN(typed_bytes);
struct ring input_paste = RING_IN(paste_bytes);

static const struct input_reader *reader; /* boot only */
static uint8_t switch_key;                /* boot only */
static unsigned pressed;                  /* switch keys in a row, kept back so far */
static bool losing;                       /* the paste is full, and that has been said */
static bool held;                         /* the other side is asked to pause */
static bool stopped;                      /* the port keeps what comes */

void input_init(uint8_t key, const struct input_reader *r)
{
    reader = r;
    switch_key = key;
}

static void stop(bool on)
{
    if (on != stopped)
        reader->stop(on);
    stopped = on;
}

void input_received(const uint8_t *data, size_t len)
{
    ring_write(&typed, data, len);
    if (ring_room(&typed) < TYPED_ROOM)
        stop(true);
}

/* Switch keys that turn out not to come in threes are keys like others. */
static void take(uint8_t byte)
{
    if (switch_key && byte == switch_key) {
        if (++pressed < SWITCHES)
            return;
        pressed = 0;
        reader->switch_over();
        return;
    }
    for (; pressed; pressed--)
        reader->key(switch_key);
    reader->key(byte);
}

bool input_work(void)
{
    struct batch b = { .most = KEYS_MOST };

    while (ring_used(&typed) && reader->takes() && batch_more(&b))
        take(ring_take(&typed));
    if (ring_room(&typed) >= TYPED_ROOM)
        stop(false);
    return ring_used(&typed) && reader->takes();
}

static void hold(bool on)
{
    if (on != held)
        reader->hold(on);
    held = on;
}

void input_keep(uint8_t byte)
{
    if (!ring_put(&input_paste, byte) && !losing) {
        losing = true;
        log_warn("more is typed than the domain in front reads: it is lost from here on");
    }
    if (ring_used(&input_paste) > HOLD_AT)
        hold(true);
}

void input_taken(void)
{
    if (ring_used(&input_paste) >= RELEASE_AT)
        return;
    losing = false;
    hold(false);
}
