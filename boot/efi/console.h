/*
 * What there is to say before Caisson runs, on the firmware's console; log_error() and its like of
 * lib/log.h end here.
 */
#ifndef CAISSON_BOOT_EFI_CONSOLE_H
#define CAISSON_BOOT_EFI_CONSOLE_H

#include <stdbool.h>

/* No word more: the firmware's console goes with its boot services. */
void console_silence(bool silent);

/* Waits for a key, but no longer than that: whoever started us clears the screen next. */
void console_let_read(unsigned seconds);

#endif
