/*
 * A pretended PCI bus. See tests/fakes/config_space.h.
 */
#include "tests/fakes/config_space.h"

#include <stdlib.h>
#include <string.h>
#include "arch/x86/insn.h"

#define COMMAND_DECODES 3u

struct fake_function fake_function[FAKE_FUNCTIONS];
unsigned fake_function_count;
bool fake_bus_absent, fake_bus_crowded;
static uint32_t selected;

static struct fake_function *find(uint32_t address)
{
    for (unsigned i = 0; i < fake_function_count; i++) {
        if (fake_function[i].bdf == (address >> 8 & 0xFFFF) && !fake_function[i].gone)
            return &fake_function[i];
    }
    return NULL;
}

static uint32_t in(uint16_t port, unsigned size)
{
    struct fake_function *f = find(selected);

    if (fake_bus_absent)
        return 0xFFFFFFFF;
    if (port == 0xCF8)
        return selected;
    if (port != 0xCFC || size != 4 || !(selected & 0x80000000))
        abort();
    if (fake_bus_crowded && !f)
        return (selected & 0xFC) == 0 ? 0x12348086 : (selected & 0xFC) == 0x0C ? 0x00800000 : 0;
    return f ? f->word[selected >> 2 & 63] : 0xFFFFFFFF;
}

static void set(struct fake_function *f, unsigned n, uint32_t value, uint32_t mask)
{
    mask &= f->sticks[n];
    f->word[n] = (f->word[n] & ~mask) | (value & mask);
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    struct fake_function *f = find(selected);
    unsigned n = selected >> 2 & 63;

    if (port == 0xCF8) {
        if (size != 4)
            abort();
        selected = value;
        return;
    }
    if (!f)
        return;
    if (size == 4 && ((n >= 4 && n < 10) || n == 12)) {
        f->writes++;
        f->moved_live |= f->word[1] & COMMAND_DECODES && value != f->word[n];
    }
    if (size == 4)
        set(f, n, value, 0xFFFFFFFF);
    else
        abort();
}

void fake_bus_reset(void)
{
    memset(fake_function, 0, sizeof(fake_function));
    fake_function_count = 0;
    fake_bus_absent = fake_bus_crowded = false;
    selected = 0;
    fake_in = in;
    fake_out = out;
}

struct fake_function *fake_device(uint16_t bdf, uint32_t class, uint8_t header)
{
    struct fake_function *f = &fake_function[fake_function_count++];

    if (fake_function_count > FAKE_FUNCTIONS)
        abort();
    f->bdf = bdf;
    f->word[0] = 0xABCD8086;
    f->word[1] = 0x7;
    f->sticks[1] = 0x0000FFFF;
    f->word[2] = class << 8 | 0x42;
    f->word[3] = (uint32_t)header << 16;
    return f;
}

void fake_capability(struct fake_function *f, uint8_t at, uint8_t id, uint8_t next, uint16_t more)
{
    f->word[1] |= 0x00100000;
    f->word[at / 4] = id | (uint32_t)next << 8 | (uint32_t)more << 16;
}

void fake_bar(struct fake_function *f, unsigned i, uint32_t value, uint32_t sticks)
{
    f->word[4 + i] = value;
    f->sticks[4 + i] = sticks;
}
