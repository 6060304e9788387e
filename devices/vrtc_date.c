/*
 * Dates for the real-time clock. Days are counted in eras of 400 years that begin on the first of
 * March, so that the leap day is the last day of a year.
 */
#include "devices/vrtc_date.h"

#define DAYS_PER_ERA  146097
#define DAYS_TO_1970  719468           /* from 0000-03-01 */
#define EPOCH_MIN     (-62167219200ll) /* 0000-01-01 */
#define EPOCH_MAX     253402300799ll   /* 9999-12-31 23:59:59 */
#define FORMAT_BINARY 0x04
#define FORMAT_24     0x02
#define HOUR_PM       0x80

int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    if (v < low)
        return low;
    return v > high ? high : v;
}

/* day: days since 1970-01-01. */
static void set_calendar(struct rtc_date *d, int64_t day)
{
    int64_t n = day + DAYS_TO_1970;
    int64_t era = floor_div(n, DAYS_PER_ERA);
    int64_t in_era = n - era * DAYS_PER_ERA;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153; /* 0: March */

    d->day = (uint8_t)(in_year - (153 * month + 2) / 5 + 1);
    d->month = (uint8_t)(month < 10 ? month + 3 : month - 9);
    d->year = (uint16_t)(era * 400 + year + (month >= 10));
    d->weekday = (uint8_t)(day - floor_div(day + 4, 7) * 7 + 4 + 1); /* 1970-01-01: a Thursday */
}

static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    int64_t in_era = year - era * 400;
    int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * DAYS_PER_ERA + in_era * 365 + in_era / 4 - in_era / 100 + in_year - DAYS_TO_1970;
}

struct rtc_date rtc_date_of(int64_t epoch)
{
    epoch = clamp(epoch, EPOCH_MIN, EPOCH_MAX);
    int64_t day = floor_div(epoch, 86400);
    unsigned s = (unsigned)(epoch - day * 86400);
    struct rtc_date d = { .hour = (uint8_t)(s / 3600),
                          .minute = (uint8_t)(s / 60 % 60),
                          .second = (uint8_t)(s % 60) };

    set_calendar(&d, day);
    return d;
}

int64_t rtc_epoch_of(const struct rtc_date *d)
{
    int64_t days =
        days_since_1970(clamp(d->year, 0, 9999), clamp(d->month, 1, 12), clamp(d->day, 1, 31));

    return days * 86400 + clamp(d->hour, 0, 23) * 3600 + clamp(d->minute, 0, 59) * 60 +
           clamp(d->second, 0, 59);
}

uint8_t rtc_encode(struct rtc_format f, unsigned value)
{
    return (uint8_t)(f.b & FORMAT_BINARY ? value : value / 10 << 4 | value % 10);
}

uint8_t rtc_decode(struct rtc_format f, uint8_t byte)
{
    return (uint8_t)(f.b & FORMAT_BINARY ? byte : (byte >> 4) * 10 + (byte & 15));
}

uint8_t rtc_encode_hour(struct rtc_format f, unsigned hour)
{
    if (f.b & FORMAT_24)
        return rtc_encode(f, hour);
    return rtc_encode(f, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0);
}

uint8_t rtc_decode_hour(struct rtc_format f, uint8_t byte)
{
    if (f.b & FORMAT_24)
        return rtc_decode(f, byte);
    return (uint8_t)(rtc_decode(f, byte & ~HOUR_PM) % 12 + (byte & HOUR_PM ? 12 : 0));
}
