/*
 * A PC's text memory. See domain/domain_screen.h.
 * Source: IBM, "Color/Graphics Monitor Adapter", "Alphanumeric Mode": a character and its colours
 * for each place, from 0xB8000 on.
 */
#include "domain/domain_screen.h"
#include "domain/domain.h"
#include "guestmem/gmem.h"

#define TEXT_MEMORY 0xB8000u

static char plain(uint8_t c)
{
    if (!c)
        return ' ';
    return c >= ' ' && c < 0x7F ? (char)c : '?';
}

int domain_screen_row(struct domain *d, unsigned row, char text[DOMAIN_SCREEN_COLUMNS + 1])
{
    uint8_t cells[DOMAIN_SCREEN_COLUMNS][2];
    unsigned length = 0;

    spin_lock(&d->lock);
    int err = gmem_read(&d->p2m, gpa(TEXT_MEMORY + row * sizeof(cells)), cells, sizeof(cells));
    spin_unlock(&d->lock);
    for (unsigned i = 0; !err && i < DOMAIN_SCREEN_COLUMNS; i++) {
        text[i] = plain(cells[i][0]);
        if (text[i] != ' ')
            length = i + 1;
    }
    text[length] = 0;
    return err;
}
