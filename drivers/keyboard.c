/*
 * The PS/2 keyboard behind an 8042. See drivers/keyboard.h.
 *
 * Sources: IBM PC/AT Technical Reference, "Keyboard Controller"; the scan codes of set 1 as every
 * PC has them. The mouse, if any, is switched off: its bytes would come through the same port.
 */
#include "drivers/keyboard.h"
#include "arch/x86/insn.h"
#include "lib/assert.h"

#define PORT_DATA   0x60
#define PORT_STATUS 0x64 /* written: a command */

#define STATUS_OUTPUT 0x01 /* a byte waits to be read */
#define STATUS_INPUT  0x02 /* the controller has not taken our last byte yet */
#define STATUS_MOUSE  0x20 /* the byte is the mouse's */
#define STATUS_ABSENT 0xFF

#define CMD_READ_CONFIG  0x20
#define CMD_WRITE_CONFIG 0x60
#define CMD_MOUSE_OFF    0xA7
#define CMD_KEYBOARD_ON  0xAE

#define CONFIG_IRQ          0x01
#define CONFIG_MOUSE_IRQ    0x02
#define CONFIG_KEYBOARD_OFF 0x10
#define CONFIG_TRANSLATE    0x40

#define PATIENCE 100000 /* polls; a controller that is stuck must not hold the boot up */
#define AT_ONCE  32     /* bytes read in one interrupt, at most */

#define RELEASED 0x80 /* bit of a scan code */
#define ESC      0x1B

enum {
    CODE_CTRL = 0x1D,
    CODE_LEFT_SHIFT = 0x2A,
    CODE_RIGHT_SHIFT = 0x36,
    CODE_ALT = 0x38,
    CODE_CAPS = 0x3A,
    CODE_EXTENDED = 0xE0,
    CODE_PAUSE = 0xE1, /* and two more bytes */
};

/* Indexed by scan code. 0: no character. */
static const char plain[] = "\0\x1b"
                            "1234567890-=\x7f\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\x1b"
                              "!@#$%^&*()_+\x7f\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
_Static_assert(sizeof(plain) == 0x3A + 1 && sizeof(shifted) == sizeof(plain), "codes 0 to 0x39");

/* The keypad without 0xE0, as with Num Lock on. */
#define KEYPAD_FIRST 0x47
static const char keypad[] = "789-456+1230.";

/* With 0xE0 in front: what follows ESC [ . */
static const struct {
    uint8_t code;
    char text[3];
} extended[] = {
    { 0x47, "H" }, { 0x48, "A" }, { 0x49, "5~" }, { 0x4B, "D" },  { 0x4D, "C" },
    { 0x4F, "F" }, { 0x50, "B" }, { 0x51, "6~" }, { 0x52, "2~" }, { 0x53, "3~" },
};

static void (*receive)(const uint8_t *data, size_t len); /* boot only */
static struct keyboard_state state;                      /* keyboard_irq() only */

/* Keys that only change what others mean. True if it was one. */
static bool modifier(struct keyboard_state *s, uint8_t code, bool pressed, bool right)
{
    switch (code) {
    case CODE_CTRL:
        s->ctrl[right] = pressed;
        return true;
    case CODE_ALT:
        s->alt[right] = pressed;
        return true;
    case CODE_LEFT_SHIFT:
    case CODE_RIGHT_SHIFT:
        if (!right) /* 0xE0 0x2A comes with the arrows and is no shift */
            s->shift[code == CODE_RIGHT_SHIFT] = pressed;
        return true;
    case CODE_CAPS:
        s->caps ^= pressed;
        return true;
    }
    return false;
}

static size_t sequence(uint8_t code, uint8_t *out)
{
    for (size_t i = 0; i < sizeof(extended) / sizeof(extended[0]); i++) {
        const char *text = extended[i].text;

        if (extended[i].code != code)
            continue;
        out[0] = ESC;
        out[1] = '[';
        out[2] = (uint8_t)text[0];
        out[3] = (uint8_t)text[1];
        return text[1] ? 4 : 3;
    }
    return 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The character on the key, or 0. */
static char character(const struct keyboard_state *s, uint8_t code)
{
    bool shift = s->shift[0] || s->shift[1];

    if (code >= KEYPAD_FIRST && code < KEYPAD_FIRST + sizeof(keypad) - 1)
        return keypad[code - KEYPAD_FIRST];
    if (code >= sizeof(plain) - 1)
        return 0;
    if (s->caps && is_letter(plain[code]))
        shift = !shift;
    return shift ? shifted[code] : plain[code];
}

/* As terminals do it: Ctrl with @ to _, letters of both cases, and the space bar. */
static bool controls(char *c)
{
    if (*c == ' ')
        *c = '@';
    if (*c < '@' || *c > 'z' || *c == '`')
        return false;
    *c &= 0x1F;
    return true;
}

static size_t key(const struct keyboard_state *s, char c, uint8_t *out)
{
    bool nul = false;
    size_t n = 0;

    if (!c)
        return 0;
    if (s->ctrl[0] || s->ctrl[1])
        nul = controls(&c) && !c;
    if ((s->alt[0] || s->alt[1]) && !nul)
        out[n++] = ESC;
    out[n++] = (uint8_t)c;
    return n;
}

size_t keyboard_translate(struct keyboard_state *s, uint8_t byte, uint8_t out[KEYBOARD_MOST])
{
    bool extended_now = s->extended;
    uint8_t code = byte & (RELEASED - 1u);

    s->extended = false;
    if (s->skip) {
        s->skip--;
        return 0;
    }
    if (byte == CODE_EXTENDED || byte == CODE_PAUSE) {
        s->extended = byte == CODE_EXTENDED;
        s->skip = byte == CODE_PAUSE ? 2 : 0; /* sent as E1 1D 45, E1 9D C5 */
        return 0;
    }
    if (modifier(s, code, !(byte & RELEASED), extended_now) || byte & RELEASED)
        return 0;
    if (!extended_now)
        return key(s, character(s, code), out);
    if (code == 0x1C || code == 0x35) /* Enter and / of the keypad */
        return key(s, code == 0x1C ? '\r' : '/', out);
    return sequence(code, out);
}

/* ---- The controller -------------------------------------------------------------------------- */

static bool wait_status(uint8_t mask, uint8_t value)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        if ((inb(PORT_STATUS) & mask) == value)
            return true;
        cpu_relax();
    }
    return false;
}

static bool send(uint16_t port, uint8_t byte)
{
    if (!wait_status(STATUS_INPUT, 0))
        return false;
    outb(port, byte);
    return true;
}

static void drop_waiting(void)
{
    for (unsigned i = 0; i < AT_ONCE && inb(PORT_STATUS) & STATUS_OUTPUT; i++)
        inb(PORT_DATA);
}

static bool configure(void)
{
    uint8_t config;

    if (!send(PORT_STATUS, CMD_READ_CONFIG) || !wait_status(STATUS_OUTPUT, STATUS_OUTPUT))
        return false;
    config = inb(PORT_DATA);
    config |= CONFIG_IRQ | CONFIG_TRANSLATE;
    config &= (uint8_t) ~(CONFIG_KEYBOARD_OFF | CONFIG_MOUSE_IRQ);
    return send(PORT_STATUS, CMD_WRITE_CONFIG) && send(PORT_DATA, config) &&
           send(PORT_STATUS, CMD_KEYBOARD_ON);
}

bool keyboard_open(void (*fn)(const uint8_t *data, size_t len))
{
    ASSERT(fn);
    if (inb(PORT_STATUS) == STATUS_ABSENT)
        return false;
    if (!send(PORT_STATUS, CMD_MOUSE_OFF))
        return false;
    drop_waiting();
    if (!configure())
        return false;
    receive = fn;
    return true;
}

void keyboard_irq(void)
{
    uint8_t bytes[KEYBOARD_MOST];

    for (unsigned i = 0; i < AT_ONCE; i++) {
        uint8_t status = inb(PORT_STATUS), code;

        if (!(status & STATUS_OUTPUT))
            return;
        code = inb(PORT_DATA);
        if (status & STATUS_MOUSE || !receive)
            continue;
        size_t n = keyboard_translate(&state, code, bytes);
        if (n)
            receive(bytes, n);
    }
}
