/*
 * String I/O over every port, and string moves over the registers in memory, on devices that are
 * programmed at random, from a seed: what a guest has made of a device decides what each access
 * costs. The guest itself sees nothing of that; a debug build of Caisson measures it
 * (arch/x86/bound.h).
 *
 * The command line: seed=N rounds=N, hpet=N for the HPET's shortest period in ticks. Interrupts
 * stay off, so that nothing but I/O happens.
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
#define LAPIC      0xFEE00000ul
#define HPET       0xFED00000ul
#define HPET_BYTES 0x400
#define LAST_VALUE 0xF0   /* of a byte that is written: from here on the i8042 resets */
#define DEVICES    0x1000 /* above there is no port of a device's */

static uint8_t buffer[4 * REPEAT];
static uint64_t state;
static uint32_t shortest; /* ticks of the HPET from one match to the next */

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

static void out_string(uint16_t port, unsigned size, uint64_t count)
{
    const void *from = buffer;

    if (size == 1)
        asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(port) : "memory");
    else if (size == 2)
        asm volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(port) : "memory");
    else
        asm volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

static void fill_at_random(void)
{
    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = random_byte();
}

/* Doublewords, from one place to the next. */
static void move_string(volatile void *to, const volatile void *from, uint64_t count)
{
    asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

/* ---- Devices ---- */

/* Ports that may be written with anything but what ends the domain, and by how many bytes at a time
 * (a bit for each number). COM1 is what we print on. Behind 0x604 there is power, and a reset at
 * 0xCF9. */
static const struct {
    uint16_t first, last;
    uint8_t sizes;
} writable[] = {
    { 0x20, 0x21, 1 },       { 0x40, 0x43, 1 },   { 0x61, 0x61, 1 },   { RTC_INDEX, RTC_DATA, 1 },
    { 0x80, 0x80, 7 },       { 0xA0, 0xA1, 1 },   { 0xB2, 0xB3, 1 },   { 0x2F8, 0x2FF, 1 },
    { 0x3D4, 0x3D5, 1 },     { 0x4D0, 0x4D1, 1 }, { 0x600, 0x603, 1 }, { 0x608, 0x60B, 7 },
    { 0xCF8, 0xCF8, 1 | 4 }, { 0xCFC, 0xCFF, 7 },
};
#define WRITABLE (sizeof(writable) / sizeof(writable[0]))

/* Not to be written at all, where every port is: i8042, system control port A, COM1, power
 * management's control, reset. */
static const struct {
    uint16_t first, last;
} forbidden[] = {
    { 0x60, 0x64 }, { 0x92, 0x92 }, { 0x3F8, 0x3FF }, { 0x604, 0x607 }, { 0xCF9, 0xCF9 },
};

static bool is_forbidden(unsigned port)
{
    for (unsigned i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        if (port >= forbidden[i].first && port <= forbidden[i].last)
            return true;
    return false;
}

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

/* Timers that match as often as may be, or some time; with the lines of PIT and RTC or their own.
 */
static void program_hpet(void)
{
    volatile uint32_t *config = (volatile uint32_t *)(HPET + 0x10);

    *config = 0;
    for (unsigned n = 0; n < 3; n++) {
        volatile uint32_t *timer = (volatile uint32_t *)(HPET + 0x100 + 32 * n);
        uint32_t pin = 20 + random64() % 4;
        timer[0] = pin << 9 | ((uint32_t)random64() & 0x10A) | 0x44;
        timer[2] = (uint32_t)random64() % 1000; /* comparator, and then the period */
        timer[2] = random64() & 1 ? shortest : (uint32_t)random64();
    }
    *config = 1 | ((uint32_t)random64() & 2);
}

static void program_at_random(void)
{
    program_ioapic();
    program_hpet();
    for (unsigned i = 0; i < 40; i++) {
        unsigned n = random64() % WRITABLE;
        outb((uint16_t)(writable[n].first +
                        random64() % (writable[n].last - writable[n].first + 1u)),
             random_byte());
    }
    program_rtc((uint8_t)random64());
}

/* ---- Rounds ---- */

static void strings_on(uint16_t port, unsigned sizes)
{
    for (unsigned size = 1; size <= 4; size *= 2) {
        in_string(port, size, REPEAT);
        if (!(sizes & size))
            continue;
        fill_at_random();
        out_string(port, size, REPEAT);
    }
}

/* The registers that are written are the HPET's: what can be at the others ends the domain. */
static void strings_in_memory(void)
{
    static const uint64_t places[] = { IOAPIC, LAPIC, HPET };

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        move_string(buffer, (const volatile void *)places[i], HPET_BYTES / 4);
    fill_at_random();
    move_string((volatile void *)HPET, buffer, HPET_BYTES / 4);
    program_hpet();
    move_string(buffer, (const volatile void *)HPET, HPET_BYTES / 4);
}

static void devices_round(void)
{
    program_at_random();
    strings_in_memory();
    for (unsigned n = 0; n < WRITABLE; n++) {
        for (uint16_t port = writable[n].first; port <= writable[n].last; port++)
            strings_on(port, writable[n].sizes);
    }
}

/* With the HPET at rest: where no device is, it would only take its time 65,536 times. */
static void every_port(void)
{
    *(volatile uint32_t *)(HPET + 0x10) = 0;
    for (unsigned port = 0; port < 0x10000; port++)
        in_string((uint16_t)port, 1, FEW);
    fill_at_random();
    for (unsigned port = 0; port < DEVICES; port++)
        if (!is_forbidden(port))
            out_string((uint16_t)port, 1, FEW);
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    uint64_t rounds = start_number(boot_information, "rounds", 10);

    shortest = (uint32_t)start_number(boot_information, "hpet", 1);
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
