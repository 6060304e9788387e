/*
 * Lines for the firmware's console, which wants UCS-2 and a carriage return.
 */
#include "boot/efi/console.h"
#include "boot/efi/firmware.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/string.h"

#define LINE_BYTES 320

static bool silenced;

void console_silence(bool silent)
{
    silenced = silent;
}

static void put(const char *text)
{
    CHAR16 wide[LINE_BYTES];
    UINTN length = strlen(text), n = 0;

    if (silenced)
        return;
    for (; n < length && n < LINE_BYTES - 1; n++)
        wide[n] = text[n] >= ' ' && text[n] <= '~' ? (CHAR16)text[n] : L'?';
    wide[n] = 0;
    system_table->ConOut->OutputString(system_table->ConOut, wide);
    system_table->ConOut->OutputString(system_table->ConOut, (CHAR16[]){ '\r', '\n', 0 });
}

static void put_line(const char *kind, const char *fmt, va_list args)
{
    char line[LINE_BYTES];
    UINTN n = fmt_sn(line, sizeof(line), "caisson.efi: %s", kind);

    fmt_vsn(line + n, sizeof(line) - n, fmt, args);
    put(line);
}

void log_at(enum log_level level, const char *fmt, ...)
{
    static const char *const kinds[] = { "error: ", "warning: ", "", "" };
    va_list args;

    va_start(args, fmt);
    put_line(kinds[level], fmt, args);
    va_end(args);
}

/* For the ASSERTs in what is shared with Caisson itself. */
void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_line("panic: ", fmt, args);
    va_end(args);
    for (;;)
        __asm__ volatile("hlt");
}

void panic_assertion(const char *file, unsigned line, const char *what)
{
    panic("%s:%u: assertion failed: %s", file, line, what);
}

void console_let_read(unsigned seconds)
{
    EFI_EVENT events[2] = { system_table->ConIn->WaitForKey, NULL };
    EFI_INPUT_KEY key;
    UINTN which;

    if (boot_services->CreateEvent(EVT_TIMER, 0, NULL, NULL, &events[1]))
        return;
    boot_services->SetTimer(events[1], TimerRelative, seconds * 10000000UL); /* of 100 ns */
    put("press a key to go on");
    if (boot_services->WaitForEvent(2, events, &which) == EFI_SUCCESS && which == 0)
        system_table->ConIn->ReadKeyStroke(system_table->ConIn, &key);
    boot_services->CloseEvent(events[1]);
}
