/*
 * Exceptions and interrupts of a guest. See guest/lib/trap.h.
 */
#include "guest/lib/trap.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/timer.h"

#define VECTORS    256
#define STUB_BYTES 16
#define GATE_INT   0x8E00 /* present, DPL 0, 64-bit interrupt gate */
#define CODE       0x08

extern const uint8_t trap_stubs[];
void trap_handle(struct trap *t);

static struct {
    uint16_t offset_low, selector, type, offset_mid;
    uint32_t offset_high, zero;
} idt[VECTORS];

static trap_fn handlers[VECTORS];

/* Where trap_try() goes on after an exception: set by GCC's setjmp, five words. */
static void *retry[5];
static volatile int caught;
static volatile bool trying;

void trap_set(uint8_t vector, trap_fn fn)
{
    handlers[vector] = fn;
}

void trap_gate(uint8_t vector, void (*entry)(void))
{
    uint64_t at = (uint64_t)entry;

    idt[vector].offset_low = (uint16_t)at;
    idt[vector].selector = CODE;
    idt[vector].type = GATE_INT;
    idt[vector].offset_mid = (uint16_t)(at >> 16);
    idt[vector].offset_high = (uint32_t)(at >> 32);
}

void trap_init(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };

    if (!idt[0].type)
        timer_stop();
    for (unsigned i = 0; i < VECTORS; i++)
        trap_gate((uint8_t)i, (void (*)(void))(trap_stubs + i * STUB_BYTES));
    asm volatile("lidt %0" : : "m"(pointer));
}

static _Noreturn void unexpected(const struct trap *t)
{
    print("unexpected trap %lu, error %#lx, at %#lx\n", t->vector, t->error, t->rip);
    xen_shutdown(XEN_SHUTDOWN_CRASH);
    for (;;)
        asm volatile("cli; hlt");
}

void trap_handle(struct trap *t)
{
    if (handlers[t->vector]) {
        handlers[t->vector](t);
        return;
    }
    if (!trying)
        unexpected(t);
    caught = (int)t->vector;
    trying = false;
    __builtin_longjmp(retry, 1);
}

__attribute__((noinline)) int trap_try(void (*fn)(void *arg), void *arg)
{
    caught = -1;
    if (__builtin_setjmp(retry) == 0) {
        trying = true;
        fn(arg);
    }
    trying = false;
    return caught;
}
