/*
 * String I/O over every port, on devices that are programmed at random, from a seed: what a guest
 * has made of a device decides what each access costs. The guest itself sees nothing of that; a
 * debug build of Caisson measures it (arch/x86/bound.h).
 *
 * The command line: seed=N rounds=N. Interrupts stay off, so that nothing but I/O happens.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/start_info.h"

#define REPEAT     300 /* more than one exit carries out */
#define FEW        3
#define RTC_INDEX  0x70
#define RTC_DATA   0x71
#define IOAPIC     0xFEC00000ul
#define PINS       24
#define LAST_VALUE 0xF0 /* of a byte that is written: from here on the i8042 resets */

static uint8_t buffer[4 * REPEAT];
static uint64_t state;

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators"). */
static uint64_t random64(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717ul;
}

static uint8_t random_byte(void)
{
    return (uint8_t)(random64() >> 32) % LAST_VALUE;
}

/* ---- Strings ---- */

static void in_string(uint16_t port, unsigned size, uint64_t count)
{
    void *to = buffer;

    if (size == 1)
        asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(port) : "memory");
    else if (size == 2)
        asm volatile("rep insw" : "+D"(to), "+c"(count) : "d"(port) : "memory");
    else
        asm volatile("rep insl" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}

static void out_string(uint16_t port, uint64_t count)
{
    const void *from = buffer;

    for (unsigned i = 0; i < count; i++)
        buffer[i] = random_byte();
    asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

/* ---- Devices ---- */

/* Ports that may be written with anything but what ends the domain. COM1 is what we print on. */
static const struct {
    uint16_t first, last;
} writable[] = {
    { 0x20, 0x21 }, { 0x40, 0x43 }, { 0x61, 0x61 },   { RTC_INDEX, RTC_DATA },
    { 0x80, 0x80 }, { 0xA0, 0xA1 }, { 0x2F8, 0x2FF },
};
#define WRITABLE (sizeof(writable) / sizeof(writable[0]))

static void ioapic_write(uint32_t index, uint32_t value)
{
    *(volatile uint32_t *)IOAPIC = index;
    *(volatile uint32_t *)(IOAPIC + 0x10) = value;
}

/* To all CPUs or one, edge or level, fixed or lowest priority: no other mode leaves us alone. */
static void program_ioapic(void)
{
    for (unsigned pin = 0; pin < PINS; pin++) {
        ioapic_write(0x11 + 2 * pin, (uint32_t)(random64() & 1 ? 0xFF000000 : random64()));
        ioapic_write(0x10 + 2 * pin, (uint32_t)random64() & 0x1A9FFu);
    }
}

static void rtc_write(uint8_t index, uint8_t value)
{
    outb(RTC_INDEX, index);
    outb(RTC_DATA, value);
}

/* An alarm with any hour and minute, and a second that may never come. */
static void program_rtc(uint8_t second)
{
    rtc_write(0x0B, 0x22);
    rtc_write(5, 0xFF);
    rtc_write(3, 0xFF);
    rtc_write(1, second);
}

static void program_at_random(void)
{
    program_ioapic();
    for (unsigned i = 0; i < 40; i++) {
        unsigned n = random64() % WRITABLE;
        outb((uint16_t)(writable[n].first +
                        random64() % (writable[n].last - writable[n].first + 1u)),
             random_byte());
    }
    program_rtc((uint8_t)random64());
}

/* ---- Rounds ---- */

static void strings_on(uint16_t port)
{
    in_string(port, 1, REPEAT);
    in_string(port, 2, REPEAT);
    in_string(port, 4, REPEAT);
    out_string(port, REPEAT);
}

static void devices_round(void)
{
    program_at_random();
    for (unsigned n = 0; n < WRITABLE; n++) {
        for (uint16_t port = writable[n].first; port <= writable[n].last; port++)
            strings_on(port);
    }
}

static void every_port(void)
{
    for (unsigned port = 0; port < 0x10000; port++)
        in_string((uint16_t)port, 1, FEW);
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    uint64_t rounds = start_number(boot_information, "rounds", 10);

    state = start_number(boot_information, "seed", 1) * 2654435761u | 1;
    program_rtc(0x7A);
    outb(RTC_INDEX, 0);
    in_string(RTC_DATA, 1, REPEAT);
    for (uint64_t i = 0; i < rounds; i++)
        devices_round();
    every_port();
    print("sweep: %lu rounds over the devices, one over all ports\n", rounds);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
