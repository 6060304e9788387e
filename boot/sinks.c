/*
 * Where the log goes.
 *
 * As early as can be and to as many places as there are: a machine that is silent at boot is the
 * worst kind to help with.
 */
#include "boot/sinks.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/panic.h"
#include "boot/poll.h"
#include "drivers/fb.h"
#include "drivers/port_e9.h"
#include "drivers/screen.h"
#include "drivers/vga.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "mm/aspace.h"
#include "mm/heap.h"
#include "sched/work.h"

#define COMS      2
#define PORT_E9   0xE9
#define PAINT_CAP 10 /* percent of the boot CPU: a flood takes no more from others */

static struct uart *uarts[COMS]; /* boot only */

static struct spinlock screen_lock =
    SPINLOCK_RANK("screen", LOCK_SCREEN); /* inside the log's and the console's */
static struct screen *screen;             /* or NULL. Boot only */
static bool screen_midline; /* the operator's text stopped within a line. Under screen_lock */
static bool unlocked;       /* set once, in a panic */
static struct work painting;
static bool paints_later; /* `painting` does it */

static void screen_write_locked(const char *text, size_t len, bool log)
{
    if (!screen)
        return;
    if (!unlocked)
        spin_lock(&screen_lock);
    if (log && screen_midline)
        screen_write(screen, "\n", 1);
    screen_write(screen, text, len);
    screen_midline = !log && text[len - 1] != '\n';
    if (!paints_later)
        screen_draw_all(screen);
    if (!unlocked)
        spin_unlock(&screen_lock);
    if (paints_later)
        work_raise(&painting);
}

/* One piece, drawn without the lock: nobody who prints waits for a pixel. */
static bool paint(void)
{
    struct screen_piece p;

    spin_lock(&screen_lock);
    bool more = screen_find(screen, &p);
    spin_unlock(&screen_lock);
    if (more)
        screen_draw(screen, &p);
    return more;
}

void sinks_paint_later(void)
{
    if (!screen)
        return;
    work_init(&painting, paint, PAINT_CAP);
    paints_later = true;
}

static void screen_log(const char *text, size_t len)
{
    screen_write_locked(text, len, true);
}

void sinks_screen_text(const char *text, size_t len)
{
    if (len)
        screen_write_locked(text, len, false);
}

void sinks_go_polled(void)
{
    unlocked = true;
    paints_later = false;
    if (screen)
        screen_draw_all(screen);
    uart_go_polled();
}

static void sinks_use_screen(struct screen *s)
{
    screen = s;
    log_add_sink(screen_log);
}

/* The FIFO has room for it. */
void sinks_trail(const char *text)
{
    for (; *text; text++) {
        outb(PORT_E9, (uint8_t)*text);
        outb(UART_COM1, (uint8_t)*text);
    }
}

static void sinks_open(unsigned com, uint32_t baud, bool at_once)
{
    uarts[com - 1] = uart_open(com, baud);
    if (!uarts[com - 1])
        log_warn("console: no serial port at COM%u", com);
    else if (at_once)
        uart_send_at_once(uarts[com - 1]);
}

struct uart *sinks_uart(void)
{
    return uarts[0] ? uarts[0] : uarts[1];
}

void sinks_start(const struct options *o)
{
    if (port_e9_present())
        log_add_sink(port_e9_write);
    if (o->com1)
        sinks_open(1, o->baud, o->level == LOG_DEBUG);
    if (o->com2)
        sinks_open(2, o->baud, o->level == LOG_DEBUG);
    if (sinks_uart())
        log_add_sink(uart_write);
    panic_set_prepare(sinks_go_polled);
}

static void sinks_map_framebuffer(const struct boot_framebuffer *fb)
{
    struct fb_mode mode = { .pitch = fb->pitch,
                            .width = fb->width,
                            .height = fb->height,
                            .bpp = fb->bpp,
                            .red = { fb->red.shift, fb->red.bits },
                            .green = { fb->green.shift, fb->green.bits },
                            .blue = { fb->blue.shift, fb->blue.bits } };
    size_t bytes = fb_memory(&mode);
    char *cells = bytes ? heap_pages(heap_order(bytes), OWNER_CAISSON) : NULL;
    void *pixels = cells ? aspace_map(fb->start, (size_t)fb->pitch * fb->height, ASPACE_WC) : NULL;

    if (!pixels) {
        log_warn("console: cannot use a framebuffer of %ux%u, %u bits", fb->width, fb->height,
                 fb->bpp);
        return;
    }
    sinks_use_screen(fb_init(&mode, pixels, cells));
    log_info("console: framebuffer of %ux%u, %u bits a pixel, at 0x%lx", fb->width, fb->height,
             fb->bpp, fb->start.v);
}

void sinks_map_screen(const struct boot_framebuffer *fb, bool efi, const struct options *o)
{
    if (!o->vga)
        return;
    if (fb->bpp) {
        sinks_map_framebuffer(fb);
    } else if (!efi) {
        sinks_use_screen(vga_init(aspace_map(maddr(VGA_MADDR), VGA_BYTES, ASPACE_UC)));
    }
}

void sinks_use_interrupts(void)
{
    for (unsigned i = 0; i < COMS; i++) {
        if (!uarts[i])
            continue;
        uart_never_wait(uarts[i]);
        if (irq_route_isa(uart_isa_line(uarts[i]), uart_irq)) {
            log_warn("console: no interrupt for COM%u, polling it", i + 1);
            poll_add(uart_irq);
        } else {
            uart_use_interrupts(uarts[i]);
        }
    }
}
