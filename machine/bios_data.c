/*
 * Fills in the BIOS data area. See machine/bios_data.h.
 */
#include "machine/bios_data.h"
#include "devices/vpit.h"
#include "lib/string.h"
#include "machine/pc.h"

/* Offsets in the area, each a little-endian word unless it says otherwise. */
enum {
    COM_PORTS = 0x00, /* four */
    EBDA_SEGMENT = 0x0E,
    EQUIPMENT = 0x10,
    MEMORY_KIB = 0x13, /* conventional, below the extended area */
    KEYS_HEAD = 0x1A,  /* offsets from 0x400 of the keyboard's ring: next to be read, */
    KEYS_TAIL = 0x1C,  /* and written */
    VIDEO_MODE = 0x49, /* byte */
    VIDEO_COLUMNS = 0x4A,
    TICKS = 0x6C,        /* four bytes: since midnight, 18.2 a second */
    COM_TIMEOUTS = 0x7C, /* four bytes */
    KEYS_START = 0x80,
    KEYS_END = 0x82,
    VIDEO_LAST_ROW = 0x84, /* byte */
};

#define TEXT_80X25       3         /* the mode in which a PC starts */
#define EQUIPMENT_SERIAL (2u << 9) /* how many serial ports */
#define KEYS_RING        0x1E      /* 16 words */
#define SECONDS_A_DAY    86400
#define PIT_WHOLE_COUNT  65536 /* PIT clocks a tick */

static void put(uint8_t *at, uint32_t value, unsigned bytes)
{
    memcpy(at, &value, bytes);
}

static uint32_t ticks(int64_t epoch)
{
    int64_t seconds = (epoch % SECONDS_A_DAY + SECONDS_A_DAY) % SECONDS_A_DAY;

    return (uint64_t)seconds * VPIT_HZ / PIT_WHOLE_COUNT;
}

void bios_data_build(uint8_t out[BIOS_DATA_SIZE], int64_t epoch, uint32_t ebda)
{
    memset(out, 0, BIOS_DATA_SIZE);
    put(out + COM_PORTS, HVM_COM1_PORT, 2);
    put(out + COM_PORTS + 2, HVM_COM2_PORT, 2);
    memset(out + COM_TIMEOUTS, 1, 2);
    put(out + EBDA_SEGMENT, ebda >> 4, 2);
    put(out + EQUIPMENT, EQUIPMENT_SERIAL, 2);
    put(out + MEMORY_KIB, ebda >> 10, 2);
    put(out + KEYS_HEAD, KEYS_RING, 2);
    put(out + KEYS_TAIL, KEYS_RING, 2);
    put(out + KEYS_START, KEYS_RING, 2);
    put(out + KEYS_END, KEYS_RING + 32, 2);
    out[VIDEO_MODE] = TEXT_80X25;
    put(out + VIDEO_COLUMNS, 80, 2);
    out[VIDEO_LAST_ROW] = 24;
    put(out + TICKS, ticks(epoch), 4);
}
