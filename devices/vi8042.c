/*
 * A keyboard controller with nothing plugged in. Source: Intel, "8042/8742 Universal Peripheral
 * Interface", and the IBM PC/AT Technical Reference, "Keyboard Controller".
 */
#include "devices/vi8042.h"

#define STATUS_OUTPUT   0x01 /* the output buffer is full */
#define STATUS_SYSTEM   0x04 /* the self-test has passed */
#define STATUS_COMMAND  0x08 /* the last write was a command */
#define STATUS_UNLOCKED 0x10 /* the key lock of the AT's case is open */
#define STATUS_TIMEOUT  0x40 /* a device did not answer */

#define CONFIG_SYSTEM   0x04
#define CONFIG_NO_KBD   0x10
#define CONFIG_NO_MOUSE 0x20

#define OUTPUT_RESET 0x01 /* low resets the CPU */
#define OUTPUT_A20   0x02
#define OUTPUT_FULL  0x10 /* follows STATUS_OUTPUT */

#define SELF_TEST_PASSED 0x55
#define CLOCK_STUCK_HIGH 0x02 /* what the mouse port's test says: there is no such port */
#define RESEND           0xfe /* with STATUS_TIMEOUT: the keyboard did not take the byte */

static void answer(struct vi8042 *kbc, uint8_t value)
{
    kbc->data = value;
    kbc->status |= STATUS_OUTPUT;
    kbc->status &= ~STATUS_TIMEOUT;
}

/* The listener may reset this very device from within: nothing is done after it. */
static void pulse(const struct line *reset)
{
    line_set(reset, true);
    line_set(reset, false);
}

static void write_output(struct vi8042 *kbc, uint8_t value)
{
    kbc->output = (value & OUTPUT_A20) | OUTPUT_RESET;
    if (!(value & OUTPUT_RESET))
        pulse(&kbc->reset);
}

static void set_system(struct vi8042 *kbc, bool passed)
{
    kbc->status = (kbc->status & ~STATUS_SYSTEM) | (passed ? STATUS_SYSTEM : 0);
}

static void write_command(struct vi8042 *kbc, uint8_t value)
{
    kbc->command = 0;
    switch (value) {
    case 0x20: /* read the command byte */
        answer(kbc, kbc->config);
        break;
    case 0x60: /* write it; */
    case 0xd1: /* write the output port; */
    case 0xd2: /* put a byte into the output buffer, as if from the keyboard, */
    case 0xd3: /* or from the mouse: the byte comes by the data register */
    case 0xd4: /* send a byte to the mouse */
        kbc->command = value;
        break;
    case 0xa7: /* disable the mouse */
        kbc->config |= CONFIG_NO_MOUSE;
        break;
    case 0xa8: /* enable it */
        kbc->config &= ~CONFIG_NO_MOUSE;
        break;
    case 0xa9: /* test the mouse port */
        answer(kbc, CLOCK_STUCK_HIGH);
        break;
    case 0xaa: /* self-test */
        kbc->config |= CONFIG_SYSTEM;
        set_system(kbc, true);
        answer(kbc, SELF_TEST_PASSED);
        break;
    case 0xab: /* test the keyboard port */
        answer(kbc, 0);
        break;
    case 0xad: /* disable the keyboard */
        kbc->config |= CONFIG_NO_KBD;
        break;
    case 0xae: /* enable it */
        kbc->config &= ~CONFIG_NO_KBD;
        break;
    case 0xc0: /* read the input port: nothing pulls it low */
        answer(kbc, 0xff);
        break;
    case 0xd0: /* read the output port */
        answer(kbc, kbc->output | (kbc->status & STATUS_OUTPUT ? OUTPUT_FULL : 0));
        break;
    default: /* 0xF0..0xFF pulse the low bits of the output port that are 0 */
        if (value >= 0xf0 && !(value & OUTPUT_RESET))
            pulse(&kbc->reset);
        break;
    }
}

static void write_data(struct vi8042 *kbc, uint8_t value)
{
    uint8_t command = kbc->command;

    kbc->command = 0;
    switch (command) {
    case 0x60:
        kbc->config = value;
        set_system(kbc, value & CONFIG_SYSTEM);
        break;
    case 0xd1:
        write_output(kbc, value);
        break;
    case 0xd2:
    case 0xd3: /* comes back as the keyboard's: there is no mouse port to loop it through */
        answer(kbc, value);
        break;
    default:
        answer(kbc, RESEND);
        kbc->status |= STATUS_TIMEOUT;
        break;
    }
}

static uint8_t read_data(struct vi8042 *kbc)
{
    kbc->status &= ~(STATUS_OUTPUT | STATUS_TIMEOUT);
    return kbc->data;
}

static uint32_t vi8042_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vi8042 *kbc = container_of(dev, struct vi8042, dev);

    (void)now;
    (void)size;
    if (offset > 1)
        return UINT32_MAX;
    if (!kbc->answers)
        return UINT8_MAX;
    return offset ? kbc->status : read_data(kbc);
}

static void vi8042_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                         uint64_t now)
{
    struct vi8042 *kbc = container_of(dev, struct vi8042, dev);

    (void)now;
    (void)size;
    if (offset > 1)
        return;
    if (offset) {
        kbc->status |= STATUS_COMMAND;
        write_command(kbc, (uint8_t)value);
    } else {
        kbc->status &= ~STATUS_COMMAND;
        write_data(kbc, (uint8_t)value);
    }
}

static void vi8042_reset(struct device *dev, uint64_t now)
{
    struct vi8042 *kbc = container_of(dev, struct vi8042, dev);

    (void)now;
    kbc->status = STATUS_UNLOCKED;
    kbc->data = 0;
    kbc->config = 0;
    kbc->output = OUTPUT_RESET | OUTPUT_A20;
    kbc->command = 0;
}

static const struct device_ops ops = {
    .read = vi8042_read,
    .write = vi8042_write,
    .reset = vi8042_reset,
};

void vi8042_init(struct vi8042 *kbc, struct line reset, bool answers)
{
    *kbc = (struct vi8042){ .dev.ops = &ops, .reset = reset, .answers = answers };
    vi8042_reset(&kbc->dev, 0);
}
