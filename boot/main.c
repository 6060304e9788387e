/*
 * The table of contents: what is brought up, in which order.
 */
#include <stddef.h>
#include <stdint.h>
#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/percpu.h"
#include "drivers/port_e9.h"
#include "drivers/uart.h"
#include "drivers/vga.h"
#include "lib/log.h"

extern uint64_t image_phys_base;
_Noreturn void main(uint64_t mbi);

_Noreturn void main(uint64_t mbi)
{
    cpu_seed_canary();
    percpu_init_boot();
    desc_init(NULL); /* from here on a panic can be read */
    log_add_sink(port_e9_write);
    if (uart_open(1, 115200))
        log_add_sink(uart_write);
    vga_init((void *)VGA_MADDR);
    log_add_sink(vga_write);
    cpu_init();
    log_info("boot information at 0x%lx, image base 0x%lx", mbi, image_phys_base);
    machine_halt();
}
