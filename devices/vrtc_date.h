/*
 * Dates as the MC146818 keeps them: the Gregorian calendar, and the forms of its registers.
 */
#ifndef CAISSON_DEVICES_VRTC_DATE_H
#define CAISSON_DEVICES_VRTC_DATE_H

#include <stdint.h>

struct rtc_date {
    uint16_t year;
    uint8_t month, day; /* from 1 */
    uint8_t hour, minute, second;
    uint8_t weekday; /* 1: Sunday */
};

/* Register B decides the form: bit 2 binary instead of BCD, bit 1 24 hours instead of 12. */
struct rtc_format {
    uint8_t b;
};

/* Division that rounds down, for times before a base. */
int64_t floor_div(int64_t a, int64_t b);

/* Years 0 to 9999; times outside are cut off there. */
struct rtc_date rtc_date_of(int64_t epoch);
/* Members out of range are taken as the nearest that is in range. */
int64_t rtc_epoch_of(const struct rtc_date *d);

uint8_t rtc_encode(struct rtc_format f, unsigned value); /* 0..99 */
uint8_t rtc_decode(struct rtc_format f, uint8_t byte);
uint8_t rtc_encode_hour(struct rtc_format f, unsigned hour);
uint8_t rtc_decode_hour(struct rtc_format f, uint8_t byte);

#endif
