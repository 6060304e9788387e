/*
 * Rows of RAM that nobody has touched: what it costs until it is there. The domain has 128 MiB.
 */
#include "guest/bench/row.h"

#define TOUCH_4K_FIRST  0x00020000ul
#define TOUCH_4K_ROUNDS 100
#define TOUCH_2M_FIRST  0x04000000ul
#define TOUCH_2M_ROUNDS 24

/* Conventional memory comes frame by frame: the hole above it leaves no whole 2 MiB there. */
static void once_touch4k(unsigned i)
{
    *(volatile uint8_t *)(TOUCH_4K_FIRST + i * 4096ul) = 1;
}

static void once_touch2m(unsigned i)
{
    *(volatile uint8_t *)(TOUCH_2M_FIRST + i * 0x200000ul) = 1;
}

static const struct row rows[] = {
    { "first touch of 4 KiB", once_touch4k, TOUCH_4K_ROUNDS },
    { "first touch of 2 MiB", once_touch2m, TOUCH_2M_ROUNDS },
};

void memory_rows(void)
{
    ROWS_RUN(rows);
}
