/*
 * panic(): Caisson found a bug in itself and stops the machine, saying all that helps to find it.
 *
 * It has to work in bad company: locks may be held by CPUs that are stopped, the stack may be
 * damaged, and the report itself may fault. So it goes from the certain to the risky, and a panic
 * within the panic ends at once with one line.
 */
#include "arch/x86/panic.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/x86/acpi.h"
#include "arch/x86/bound.h"
#include "arch/x86/cpu.h"
#include "arch/x86/fixup.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/smp.h"
#include "arch/x86/symbol.h"
#include "arch/x86/trap.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/lockdep.h"
#include "lib/log.h"
#include "lib/string.h"

#define BACKTRACE_MAX 24
#define NOBODY        UINT32_MAX

static uint32_t panicking = NOBODY; /* the pCPU that came first; atomic */
static void (*prepare_fn)(void);    /* both: boot only */
static void (*context_fn)(void);

void panic_set_prepare(void (*prepare)(void))
{
    prepare_fn = prepare;
}

void panic_set_context(void (*print)(void))
{
    context_fn = print;
}

/* Makes this pCPU the only one that runs. A second pCPU that panics waits here for its NMI. */
static void panic_take_over(void)
{
    uint32_t first = NOBODY;

    irq_disable();
    if (__atomic_compare_exchange_n(&panicking, &first, cpu_id(), false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST)) {
        smp_stop_others();
        log_break_lock();
        if (lockdep_stop)
            lockdep_stop();
        if (bound_stop)
            bound_stop();
        if (prepare_fn)
            prepare_fn();
        return;
    }
    if (first == cpu_id())
        log_error("panic: and again while reporting the first one");
    for (;;)
        halt();
}

static void panic_line(uint64_t address)
{
    char name[SYMBOL_NAME];
    uint64_t offset;

    if (symbol_find(address, name, &offset))
        log_error("panic:   0x%016lx %s+0x%lx", address, name, offset);
    else
        log_error("panic:   0x%016lx", address);
}

/* Frame pointers lead upwards (System V ABI): the caller's at rbp, the return address above. */
static void panic_backtrace(uint64_t rip, uint64_t rbp)
{
    log_error("panic: backtrace:");
    panic_line(rip);
    for (unsigned i = 0; i < BACKTRACE_MAX && rbp && rbp % 8 == 0; i++) {
        uint64_t caller, address;

        if (fixup_read(rbp, &caller) || fixup_read(rbp + 8, &address) || !address)
            return;
        panic_line(address - 1); /* within the call, not after it */
        if (caller <= rbp)
            return;
        rbp = caller;
    }
}

static void panic_registers(const struct trap_frame *f)
{
    log_error("panic: rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
    log_error("panic: rsi %016lx rdi %016lx rbp %016lx rsp %016lx", f->rsi, f->rdi, f->rbp, f->rsp);
    log_error("panic: r8  %016lx r9  %016lx r10 %016lx r11 %016lx", f->r8, f->r9, f->r10, f->r11);
    log_error("panic: r12 %016lx r13 %016lx r14 %016lx r15 %016lx", f->r12, f->r13, f->r14, f->r15);
    log_error("panic: rip %016lx rfl %016lx cs %04lx ss %04lx", f->rip, f->rflags, f->cs, f->ss);
}

static void panic_control_registers(void)
{
    log_error("panic: cr0 %016lx cr2 %016lx cr3 %016lx cr4 %016lx", read_cr0(), read_cr2(),
              read_cr3(), read_cr4());
}

static _Noreturn void panic_end(void)
{
    if (context_fn)
        context_fn();
    log_error("panic: stopped");
    host_halt();
}

void panic(const char *fmt, ...)
{
    char text[256];
    va_list args;

    panic_take_over();
    va_start(args, fmt);
    fmt_vsn(text, sizeof(text), fmt, args);
    va_end(args);
    log_error("panic: pCPU %u: %s", cpu_id(), text);
    panic_control_registers();
    panic_backtrace((uint64_t)__builtin_return_address(0) - 1,
                    *(const uint64_t *)__builtin_frame_address(0));
    panic_end();
}

void panic_assertion(const char *file, unsigned line, const char *what)
{
    panic("%s:%u: assertion failed: %s", file, line, what);
}

/* SDM, "Page-Fault Exceptions": the error code in words. */
static void panic_page_fault(const struct trap_frame *f)
{
    log_error("panic: pCPU %u: page fault: %s of 0x%lx, %s", cpu_id(),
              f->error & 16  ? "execution"
              : f->error & 2 ? "write"
                             : "read",
              read_cr2(),
              f->error & 8   ? "reserved bit set"
              : f->error & 1 ? "forbidden"
                             : "not mapped");
}

/* Is it the instruction of an ASSERT (lib/assert.h)? */
static bool is_assertion(const struct trap_frame *f)
{
    static const uint8_t ud1[] = { 0x0F, 0xB9, 0xC0 }; /* UD1 EAX, EAX */

    return f->vector == VECTOR_UD && memcmp((const void *)f->rip, ud1, sizeof(ud1)) == 0;
}

void panic_trap(const struct trap_frame *f)
{
    panic_take_over();
    if (f->vector == VECTOR_PF)
        panic_page_fault(f);
    else if (is_assertion(f))
        log_error("panic: pCPU %u: line %u: assertion failed", cpu_id(),
                  ((const uint8_t *)f->rip)[3] | ((const uint8_t *)f->rip)[4] << 8);
    else
        log_error("panic: pCPU %u: %s, error 0x%lx", cpu_id(), trap_name(f->vector), f->error);
    panic_registers(f);
    panic_control_registers();
    panic_backtrace(f->rip, f->rbp);
    panic_end();
}
