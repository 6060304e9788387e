/*
 * A guest that is made in hundreds: it says one line, then does what the word on its command line
 * tells, until somebody ends it.
 *
 *   idle (or nothing)  halt for ever     spin   run for ever        tick   count a timer, halted
 *   touch              write each page   fetch  run code that was written to fresh memory
 *   off                power off         reboot
 *   crash              tell Caisson so   fault  triple fault
 *   flood              256 newlines in one console_io, and what that took
 *   foreign            a hypercall by the other maker's instruction, then one that is none's
 *   forge              print what looks as if Caisson had said it, and twist the terminal
 */
#include <stddef.h>
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/timer.h"
#include "guest/lib/trap.h"

#define HZ       100
#define PAGE     4096
#define FRESH    0x200000ul
#define EXTENDED 0x100000ul /* memory of which mem_upper counts the KiB */

/* The first words of Multiboot's boot information ("Boot information format"). */
struct boot_information {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

extern char end[]; /* of the image: guest/lib/guest.lds */

void main(const struct boot_information *boot);

static uint64_t memory_end;

static void idle(void)
{
    for (;;)
        asm volatile("cli; hlt");
}

static void spin(void)
{
    for (;;)
        asm volatile("pause");
}

static void tick(void)
{
    trap_init();
    timer_start(HZ);
    for (;;)
        irq_wait();
}

/* Behind its own image, so that all of its memory has to come. */
static void touch(void)
{
    for (uint64_t at = ((uint64_t)end + PAGE - 1) & ~(PAGE - 1ul); at < memory_end; at += PAGE)
        *(volatile uint64_t *)at = at;
    print("mayfly: touched all\n");
}

/* A RET, in 2 MiB that nothing has touched: they may have come as one piece. */
static void fetch(void)
{
    volatile uint8_t *code = (volatile uint8_t *)FRESH;

    *code = 0xC3;
    asm volatile("call *%0" : : "r"(code) : "memory");
    print("mayfly: fetched\n");
}

/* The call is continued until all is taken; the longest stay in Caisson is a part of it. */
static void flood(void)
{
    char newlines[256];

    for (unsigned i = 0; i < sizeof(newlines); i++)
        newlines[i] = '\n';
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = rdtsc();
        int64_t err = xen_console_write(newlines, sizeof(newlines));
        uint64_t ticks = rdtsc() - before;

        print("mayfly: flood: %lu ticks, %ld\n", ticks, err);
    }
}

static void forge(void)
{
    print("\r\x1b[2K[0000] caisson: error: forged\r\n\r\x1b[1A\x1b[2Kcaisson> forged\r\n");
    print("\x9b"
          "2K\x1b(0\x1b[8m\xe2\x80\xae forged\r\n\x1b]0;forged\x07the end of forging \x1b]0;");
}

static volatile unsigned invalid_opcodes;

static void on_invalid_opcode(struct trap *t)
{
    invalid_opcodes++;
    t->rip += 3;
}

/* VMMCALL on Intel's processors, VMCALL on AMD's; and VMFUNC's neighbour, which nobody has. */
static void foreign(void)
{
    uint32_t r[4];
    int64_t answer = XEN_HYPERCALL_XEN_VERSION;

    trap_init();
    trap_set(6, on_invalid_opcode);
    cpuid(0, 0, r);
    if (r[1] == 0x68747541) /* Auth, of AuthenticAMD */
        asm volatile("vmcall" : "+a"(answer) : "D"(0l), "S"(0l) : "memory");
    else
        asm volatile("vmmcall" : "+a"(answer) : "D"(0l), "S"(0l) : "memory");
    print("mayfly: foreign: %lx, as it is: %lx\n", answer, xen_version());
    asm volatile(".byte 0x0F, 0x01, 0xC7" : : : "memory");
    print("mayfly: %u invalid opcode\n", invalid_opcodes);
}

static void off(void)
{
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}

static void reboot(void)
{
    xen_shutdown(XEN_SHUTDOWN_REBOOT);
}

static void crash(void)
{
    xen_shutdown(XEN_SHUTDOWN_CRASH);
}

/* An exception without an IDT. */
static void fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = { 0, 0 };

    asm volatile("lidt %0; int3" : : "m"(none));
}

static const struct {
    const char *word;
    void (*life)(void);
} lives[] = {
    { "spin", spin },   { "tick", tick },     { "touch", touch },     { "fetch", fetch },
    { "off", off },     { "reboot", reboot }, { "crash", crash },     { "fault", fault },
    { "forge", forge }, { "flood", flood },   { "foreign", foreign },
};

static bool same(const char *a, const char *b)
{
    for (; *a && *a == *b; a++)
        b++;
    return *a == *b;
}

void main(const struct boot_information *boot)
{
    const char *word = (const char *)(uint64_t)boot->cmdline;

    timer_stop(); /* nobody hears it, but it has to be kept */
    print("mayfly: %s\n", word);
    memory_end = EXTENDED + boot->mem_upper * 1024ul;
    for (unsigned i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        if (same(word, lives[i].word)) {
            lives[i].life();
            break;
        }
    }
    idle();
}
