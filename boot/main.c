/*
 * The table of contents: what is brought up, in which order.
 *
 * Two halves, because the stack changes between them: main() runs on the entry code's tables and
 * stack, main_on_stack() on the final ones.
 */
#include <stddef.h>
#include <stdint.h>
#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/insn.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/mtrr.h"
#include "arch/x86/panic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/power.h"
#include "arch/x86/smp.h"
#include "arch/x86/tsc.h"
#include "boot/boot_info.h"
#include "boot/console.h"
#include "boot/multiboot2.h"
#include "boot/options.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "vmx/vmx.h"

_Noreturn void main(uint64_t mbi);

/* Boot only, all of them. */
static struct boot_info boot;
static struct options options;
static struct desc_stacks exception_stacks[MAX_PCPUS];
static void *lapic_page;

static void *must_have(void *p)
{
    if (!p)
        panic("too little memory to start");
    return p;
}

static void read_boot_info(uint64_t mbi)
{
    const void *p = (const void *)mbi; /* mapped one to one until memory_start() */

    if (mb2_parse(p, mb2_size(p), &boot))
        panic("nothing usable came from the boot loader");
    options_parse(boot.cmdline, &options);
    log_set_level(options.level);
}

static void say_hello(void)
{
    log_info("Caisson, a hypervisor for x86-64, on %s", boot.efi ? "UEFI" : "a PC BIOS");
    log_info("boot: by %s, %u modules, image at 0x%lx", boot.loader_name, boot.module_count,
             aspace_linked_image().phys.v + (aspace_linked_image().text - IMAGE_BASE));
}

/* Image and modules are in use before the first frame is given out. */
static void memory_start(void)
{
    struct aspace_image image = aspace_linked_image();
    struct mem_claim claims[1 + MAX_MODULES];
    uint64_t size = image.data_end - image.text;

    claims[0] =
        (struct mem_claim){ maddr(image.phys.v + (image.text - IMAGE_BASE)), size, OWNER_CAISSON };
    for (unsigned i = 0; i < boot.module_count; i++)
        claims[1 + i] =
            (struct mem_claim){ boot.modules[i].start, boot.modules[i].size, OWNER_MODULE };
    if (frame_init(boot.regions, boot.region_count, claims, 1 + boot.module_count) ||
        aspace_init(&image))
        panic("too little memory to start");
    log_info("memory: %lu MiB, %lu MiB free", frame_total() >> 8, frame_count(OWNER_FREE) >> 8);
    log_debug("memory: %lu mappings, none writable and executable", aspace_check());
}

static const struct desc_stacks *new_exception_stacks(unsigned cpu)
{
    exception_stacks[cpu] = (struct desc_stacks){ .double_fault = must_have(aspace_stack()),
                                                  .nmi = must_have(aspace_stack()),
                                                  .machine_check = must_have(aspace_stack()) };
    return &exception_stacks[cpu];
}

/* For smp_start(): the stacks of the CPU that comes next. */
static void *new_cpu_stack(void)
{
    if (!exception_stacks[cpu_count].nmi)
        new_exception_stacks(cpu_count);
    return aspace_stack();
}

/* Every other CPU begins here. */
static void cpu_main(void)
{
    desc_init(&exception_stacks[cpu_id()]);
    cpu_init();
    lapic_init(lapic_page);
    if (vmx_cpu_enable())
        log_warn("pCPU %u cannot run guests", cpu_id());
    for (;;)
        irq_wait();
}

static const void *map_table(maddr_t start, size_t size)
{
    return aspace_map(start, size, ASPACE_RO);
}

static void machine_start(void)
{
    acpi_read(boot.has_rsdp ? boot.rsdp : NULL, map_table);
    mtrr_read();
    tsc_calibrate(acpi.pm_timer_port);
    ioapic_init(acpi.ioapic.v ? aspace_map(acpi.ioapic, PAGE_SIZE, ASPACE_UC) : NULL);
    lapic_page = must_have(aspace_map(acpi.lapic, PAGE_SIZE, ASPACE_UC));
    lapic_init(lapic_page);
}

static void start_other_cpus(void)
{
    maddr_t low = frame_reserve_low();
    void *low_map = low.v ? aspace_map(low, PAGE_SIZE, ASPACE_RW) : NULL;

    if (low_map)
        smp_start(low, low_map, aspace_root(), new_cpu_stack, cpu_main);
    else if (acpi.cpu_count > 1)
        log_warn("no free page below 1 MiB: the other CPUs stay off");
}

/* Before power-off and reboot. */
static void quiesce(void)
{
    smp_stop_others();
    vmx_cpu_disable();
    uart_go_polled();
}

/* A machine without VT-x is no bug of ours: vmx_probe() has said why, and that is the end. */
static void virtualization_start(void)
{
    if (vmx_probe() || vmx_cpu_enable()) {
        uart_go_polled();
        machine_halt();
    }
}

static void main_on_stack(void)
{
    desc_init(new_exception_stacks(0));
    console_map_screen(&boot.framebuffer, boot.efi, &options);
    machine_start();
    virtualization_start();
    start_other_cpus();
    console_use_interrupts();
    smp_on_stop(vmx_cpu_disable);
    power_set_hook(quiesce);
    frame_fail_nth(options.fail_alloc);
    log_info("nothing to run yet");
    quiesce();
    machine_halt();
}

_Noreturn void main(uint64_t mbi)
{
    cpu_seed_canary();
    percpu_init_boot();
    desc_init(NULL); /* from here on a panic can be read */
    console_start_debug();
    read_boot_info(mbi);
    console_start(&options);
    say_hello();
    cpu_init();
    memory_start();
    percpu_run_on_stack(must_have(aspace_stack()), main_on_stack);
}
