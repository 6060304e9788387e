/*
 * Reads the MC146818 that every PC has at ports 0x70 and 0x71.
 *
 * Source: Motorola MC146818A data sheet, "Update Cycle" and "Register B". The registers change
 * once a second; read in the middle of it they make no sense. So they are read outside of an
 * update, twice, until both readings agree.
 */
#include "drivers/rtc.h"
#include "arch/x86/insn.h"

#define INDEX 0x70
#define DATA  0x71

#define REGISTER_A 0x0A
#define A_UPDATING (1u << 7)
#define REGISTER_B 0x0B
#define B_24_HOURS (1u << 1)
#define B_BINARY   (1u << 2)
#define HOUR_PM    (1u << 7)

#define TRIES 100000 /* to see no update: it takes 2 ms of each second, a port access about 1 us   \
                      */

enum field { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, FIELDS };
struct reading {
    uint8_t field[FIELDS];
};

static uint8_t rtc_register(uint8_t n)
{
    outb(INDEX, n);
    return inb(DATA);
}

static bool outside_update(void)
{
    for (unsigned i = 0; i < TRIES; i++)
        if (!(rtc_register(REGISTER_A) & A_UPDATING))
            return true;
    return false;
}

static bool read_once(struct reading *r)
{
    static const uint8_t number[FIELDS] = { 0x00, 0x02, 0x04, 0x07, 0x08, 0x09 };

    if (!outside_update())
        return false;
    for (unsigned i = 0; i < FIELDS; i++)
        r->field[i] = rtc_register(number[i]);
    return true;
}

static bool same(const struct reading *a, const struct reading *b)
{
    for (unsigned i = 0; i < FIELDS; i++)
        if (a->field[i] != b->field[i])
            return false;
    return true;
}

static bool read_settled(struct reading *r)
{
    struct reading again;

    if (!read_once(r))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        if (!read_once(&again))
            return false;
        if (same(r, &again))
            return true;
        *r = again;
    }
    return false;
}

static unsigned from_bcd(uint8_t value)
{
    return (value >> 4) * 10u + (value & 0xF);
}

/* Turns the fields into plain numbers, hours 0..23. */
static void decode(struct reading *r, uint8_t format)
{
    bool afternoon = !(format & B_24_HOURS) && r->field[HOUR] & HOUR_PM;

    if (!(format & B_24_HOURS))
        r->field[HOUR] &= ~HOUR_PM;
    if (!(format & B_BINARY))
        for (unsigned i = 0; i < FIELDS; i++)
            r->field[i] = (uint8_t)from_bcd(r->field[i]);
    if (!(format & B_24_HOURS))
        r->field[HOUR] = (uint8_t)(r->field[HOUR] % 12 + (afternoon ? 12 : 0));
}

static bool is_date(const struct reading *r)
{
    const uint8_t *f = r->field;

    return f[SECOND] < 60 && f[MINUTE] < 60 && f[HOUR] < 24 && f[DAY] >= 1 && f[DAY] <= 31 &&
           f[MONTH] >= 1 && f[MONTH] <= 12 && f[YEAR] < 100;
}

/* Days from 1970-01-01 to a day of the years 2000 to 2099, in which each fourth is a leap year. The
 * register of the century differs from board to board, so this one is taken for granted. */
static int64_t days_of(const struct reading *r)
{
    static const uint16_t before_month[] = {
        0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334
    };
    unsigned year = r->field[YEAR], month = r->field[MONTH];
    int64_t days = 10957 + year * 365 + (year + 3) / 4; /* 10957: 2000-01-01 */

    if (month > 2 && year % 4 == 0)
        days++;
    return days + before_month[month - 1] + r->field[DAY] - 1;
}

bool rtc_read(int64_t *epoch)
{
    struct reading r;

    if (!read_settled(&r))
        return false;
    decode(&r, rtc_register(REGISTER_B));
    if (!is_date(&r))
        return false;
    *epoch = ((days_of(&r) * 24 + r.field[HOUR]) * 60 + r.field[MINUTE]) * 60 + r.field[SECOND];
    return true;
}
