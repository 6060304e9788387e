/*
 * Windows one to one: for tests that link mm/ itself and keep the machine's memory at a low address
 * of the host. Counts how many are open.
 */
#include "tests/fakes/window.h"

#include <string.h>
#include "lib/assert.h"
#include "mm/window.h"

unsigned fake_windows_open;
static char table[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

void *window_open(mfn_t m)
{
    ASSERT(fake_windows_open < WINDOW_SLOTS);
    fake_windows_open++;
    return (void *)mfn_to_maddr(m).v;
}

void window_close(void *p)
{
    (void)p;
    ASSERT(fake_windows_open > 0);
    fake_windows_open--;
}

void window_fill(mfn_t m, unsigned order, uint8_t byte)
{
    memset((void *)mfn_to_maddr(m).v, byte, PAGE_SIZE << order);
}

maddr_t window_table(maddr_t image_phys)
{
    (void)image_phys;
    return maddr((uintptr_t)table);
}

void window_start(void)
{
}
