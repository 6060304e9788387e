/*
 * Two 8259A interrupt controllers. Source: Intel, "8259A Programmable Interrupt Controller"; the
 * edge/level registers are those of the PIIX and ICH chipsets.
 *
 * Two liberties. An edge stays latched when its line falls before the CPU answers, as KVM has it:
 * a device model's pulse must not get lost in a vCPU that is not running. And the master follows
 * the level of its cascade input, so a request that the slave takes back leaves no trace there.
 */
#include "devices/vpic.h"
#include "lib/assert.h"
#include "lib/likely.h"

#define CASCADE  2 /* the master's input that the slave drives */
#define SPURIOUS 7 /* the input that answers when there is none to answer */

#define ICW1         0x10 /* in a command write: this is ICW1 */
#define ICW1_IC4     0x01
#define ICW1_SINGLE  0x02
#define ICW1_LEVEL   0x08
#define ICW4_AUTOEOI 0x02
#define ICW4_NESTED  0x10
#define OCW3         0x08 /* in a command write without ICW1: this is OCW3, not OCW2 */
#define OCW3_RIS     0x01
#define OCW3_RR      0x02
#define OCW3_POLL    0x04
#define OCW3_SMM     0x20
#define OCW3_ESMM    0x40

static const uint8_t elcr_writable[2] = { 0xf8,
                                          0xde }; /* not the timer, keyboard, cascade, RTC, FPU */

static uint8_t level_inputs(const struct vpic_chip *c)
{
    return c->level ? 0xff : c->elcr | (c->is_master && !c->single ? 1 << CASCADE : 0);
}

/* All requests: latched edges, and the level inputs as they are now. */
static uint8_t requests(const struct vpic_chip *c)
{
    uint8_t level = level_inputs(c);
    return (c->irr & ~level) | (c->lines & level);
}

/* The input to serve next, or -1: walks from the highest priority to the first one in service. */
static int next_input(const struct vpic_chip *c)
{
    uint8_t wanted = requests(c) & ~c->imr;
    uint8_t blocking = c->special_mask ? c->isr & ~c->imr : c->isr;

    if (likely(!wanted))
        return -1;
    for (unsigned i = 1; i <= 8; i++) {
        unsigned n = (c->lowest + i) & 7;
        bool reenter = c->nested && c->is_master && n == CASCADE;

        if ((blocking >> n & 1) && !(reenter && (wanted >> n & 1)))
            return -1;
        if (wanted >> n & 1)
            return (int)n;
    }
    return -1;
}

static __attribute__((noinline)) bool serves_one(const struct vpic_chip *c)
{
    return c->ready && c->icw == 0 && next_input(c) >= 0;
}

/* Mostly nothing that is not masked has asked: that is seen at once. */
static inline bool output(const struct vpic_chip *c)
{
    return unlikely((c->irr | c->lines) & ~c->imr) && serves_one(c);
}

static void chip_set(struct vpic_chip *c, unsigned n, bool level)
{
    uint8_t bit = 1 << n;

    if (level && !(c->lines & bit))
        c->irr |= bit;
    c->lines = level ? c->lines | bit : c->lines & ~bit;
}

/* Carries the slave's output to the master and the master's to the CPU. */
static void update(struct vpic *pic)
{
    chip_set(&pic->chip[0], CASCADE, output(&pic->chip[1]));
    bool level = output(&pic->chip[0]);

    if (level == pic->intr_level)
        return;
    pic->intr_level = level;
    line_set(&pic->intr, level);
}

/* The chip's part in an INTA cycle, or in a poll: the input, now in service; -1 if there is none.
 */
static int chip_ack(struct vpic_chip *c)
{
    int n = next_input(c);

    if (n < 0)
        return -1;
    c->irr &= ~(1 << n);
    if (!c->auto_eoi)
        c->isr |= 1 << n;
    else if (c->rotate_auto)
        c->lowest = (uint8_t)n;
    return n;
}

int vpic_ack(struct vpic *pic)
{
    struct vpic_chip *c = &pic->chip[0];
    int n = chip_ack(c);

    if (n == CASCADE && !c->single) {
        c = &pic->chip[1];
        n = chip_ack(c);
    }
    if (n < 0)
        n = SPURIOUS;
    int vector = c->base + n;
    update(pic);
    ASSERT(vector >= 0 && vector <= 0xff);
    return vector;
}

bool vpic_pending(const struct vpic *pic)
{
    return pic->intr_level;
}

void vpic_set_irq(void *ctx, unsigned irq, bool level)
{
    struct vpic *pic = ctx;

    ASSERT(irq < 16);
    if (irq == CASCADE)
        return;
    chip_set(&pic->chip[irq / 8], irq % 8, level);
    update(pic);
}

/* The input in service that a non-specific EOI means, or -1. */
static int highest_in_service(const struct vpic_chip *c)
{
    uint8_t isr = c->special_mask ? c->isr & ~c->imr : c->isr;

    for (unsigned i = 1; i <= 8; i++) {
        unsigned n = (c->lowest + i) & 7;
        if (isr >> n & 1)
            return (int)n;
    }
    return -1;
}

static void end_of_interrupt(struct vpic_chip *c, int n, bool rotate)
{
    if (n < 0)
        return;
    c->isr &= ~(1 << n);
    if (rotate)
        c->lowest = (uint8_t)n;
}

/* OCW2: R, SL, EOI in bits 7:5, an input in bits 2:0. */
static void write_ocw2(struct vpic_chip *c, uint8_t value)
{
    unsigned n = value & 7;
    bool rotate = value & 0x80;

    switch (value >> 5) {
    case 0: /* rotate in automatic EOI mode: clear, */
    case 4: /* set */
        c->rotate_auto = rotate;
        break;
    case 1: /* non-specific EOI, */
    case 5: /* with rotation */
        end_of_interrupt(c, highest_in_service(c), rotate);
        break;
    case 3: /* specific EOI, */
    case 7: /* with rotation */
        end_of_interrupt(c, (int)n, rotate);
        break;
    case 6: /* set priority */
        c->lowest = (uint8_t)n;
        break;
    }
}

static void write_ocw3(struct vpic_chip *c, uint8_t value)
{
    if (value & OCW3_ESMM)
        c->special_mask = value & OCW3_SMM;
    if (value & OCW3_RR)
        c->read_isr = value & OCW3_RIS;
    c->poll = value & OCW3_POLL;
}

/* ICW1 begins anew: of what was before, only the chip's place and its inputs' levels remain. */
static cold __attribute__((noinline)) void write_icw1(struct vpic_chip *c, uint8_t value)
{
    *c = (struct vpic_chip){
        .lines = c->lines,
        .elcr = c->elcr,
        .base = c->base,
        .is_master = c->is_master,
        .lowest = 7,
        .icw = 2,
        .wants_icw4 = value & ICW1_IC4,
        .single = value & ICW1_SINGLE,
        .level = value & ICW1_LEVEL,
    };
}

static void write_command(struct vpic_chip *c, uint8_t value)
{
    if (value & ICW1)
        write_icw1(c, value);
    else if (value & OCW3)
        write_ocw3(c, value);
    else
        write_ocw2(c, value);
}

static void finish_icws(struct vpic_chip *c)
{
    c->icw = 0;
    c->ready = true;
}

/* ICW3 tells of the wiring, which is fixed here: it is taken and not looked at. */
static void write_data(struct vpic_chip *c, uint8_t value)
{
    switch (c->icw) {
    case 0:
        c->imr = value;
        return;
    case 2:
        c->base = value & 0xf8;
        c->icw = c->single ? 4 : 3;
        break;
    case 3:
        c->icw = 4;
        break;
    case 4:
        c->auto_eoi = value & ICW4_AUTOEOI;
        c->nested = value & ICW4_NESTED;
        finish_icws(c);
        return;
    }
    if (c->icw == 4 && !c->wants_icw4)
        finish_icws(c);
}

static cold __attribute__((noinline)) uint8_t poll(struct vpic_chip *c)
{
    int n = output(c) ? chip_ack(c) : -1;

    c->poll = false;
    return n < 0 ? 0 : 0x80 | (uint8_t)n;
}

static uint8_t read_chip(struct vpic_chip *c, unsigned reg)
{
    if (c->poll)
        return poll(c);
    if (reg == 1)
        return c->imr;
    return c->read_isr ? c->isr : requests(c);
}

static uint32_t vpic_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vpic *pic = container_of(dev, struct vpic, dev);

    (void)now;
    (void)size;
    if (offset > 5)
        return UINT32_MAX;
    if (offset >= 4)
        return pic->chip[offset - 4].elcr;
    uint8_t value = read_chip(&pic->chip[offset / 2], offset % 2);
    update(pic);
    return value;
}

static void vpic_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint64_t now)
{
    struct vpic *pic = container_of(dev, struct vpic, dev);

    (void)now;
    (void)size;
    if (offset > 5)
        return;
    if (offset >= 4)
        pic->chip[offset - 4].elcr = value & elcr_writable[offset - 4];
    else if (offset % 2)
        write_data(&pic->chip[offset / 2], (uint8_t)value);
    else
        write_command(&pic->chip[offset / 2], (uint8_t)value);
    update(pic);
}

static cold void vpic_reset(struct device *dev, uint64_t now)
{
    struct vpic *pic = container_of(dev, struct vpic, dev);

    (void)now;
    for (unsigned i = 0; i < 2; i++)
        pic->chip[i] = (struct vpic_chip){
            .is_master = i == 0, .lowest = 7, .imr = 0xff, .lines = pic->chip[i].lines
        };
    update(pic);
}

static const struct device_ops ops = {
    .read = vpic_read,
    .write = vpic_write,
    .reset = vpic_reset,
};

void vpic_init(struct vpic *pic, struct line intr)
{
    *pic = (struct vpic){ .dev.ops = &ops, .intr = intr };
    vpic_reset(&pic->dev, 0);
}
