/*
 * The table of contents: what is brought up, in which order. Every step logs what it found.
 *
 * Two halves, because the stack changes between them: main() runs on the entry code's tables and
 * stack, main_on_stack() on the final ones.
 */
#include <stddef.h>
#include <stdint.h>
#include "arch/x86/acpi.h"
#include "arch/x86/bound.h"
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/inspect.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/mce.h"
#include "arch/x86/model.h"
#include "arch/x86/mtrr.h"
#include "arch/x86/nmi.h"
#include "arch/x86/panic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/power.h"
#include "arch/x86/smp.h"
#include "arch/x86/spec.h"
#include "arch/x86/topology.h"
#include "arch/x86/tsc.h"
#include "arch/x86/tsc_sync.h"
#include "boot/boot_info.h"
#include "boot/sinks.h"
#include "boot/multiboot2.h"
#include "boot/mce_poll.h"
#include "boot/options.h"
#include "boot/poll.h"
#include "boot/report.h"
#include "exits/device_access.h"
#include "exits/run.h"
#include "domain/domain.h"
#include "arch/x86/wallclock.h"
#include "cpu/cpu_msr.h"
#include "lifecycle/lifecycle.h"
#include "drivers/keyboard.h"
#include "drivers/port_e9.h"
#include "drivers/rtc.h"
#include "drivers/uart.h"
#include "drivers/vga.h"
#include "hypercall/hypercall.h"
#include "iommu/iommu.h"
#include "lib/assert.h"
#include "lib/lockdep.h"
#include "lib/log.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "console/console.h"
#include "monitor/monitor.h"
#include "pci/pci.h"
#include "sched/sched.h"
#include "virt/virt.h"

_Noreturn void main(uint64_t info, uint32_t magic);

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

/* What `info` is stands in boot_info.h and multiboot2.h, by the magic number. */
static int read_boot_info(uint64_t info, uint32_t magic)
{
    const void *p = (const void *)info; /* mapped one to one until memory_start() */
    int err = 0;

    if (magic == BOOT_INFO_MAGIC)
        boot = *(const struct boot_info *)p;
    else
        err = mb2_parse(p, mb2_size(p), &boot);
    options_parse(boot.cmdline, &options);
    log_set_level(options.level);
    return err;
}

static void say_hello(void)
{
    log_info("Caisson, a hypervisor for x86-64, on %s", boot.efi ? "UEFI" : "a PC BIOS");
    log_info("boot: by %s, %u module%s, image at 0x%lx", boot.loader_name, boot.module_count,
             boot.module_count == 1 ? "" : "s",
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
    log_info("memory: %lu MiB, %lu MiB free; %lu mappings, none writable and executable",
             frame_total() >> 8, frame_count(OWNER_FREE) >> 8, aspace_check());
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

static bool runs_guests;      /* the boot CPU can; boot only */
static unsigned others_ready; /* CPUs that have come as far as they will; boot only */

/* With smt=off the first thread of a core that comes runs guests, the others halt. They are started
 * all the same: a machine check stops the machine if one of its CPUs does not take it. */
static bool is_parked(void)
{
    uint32_t core = topology_core(this_cpu()->apic_id);

    for (unsigned i = 0; !options.smt && i < cpu_id(); i++)
        if (topology_core(percpu[i].apic_id) == core)
            return true;
    return false;
}

/* Every other CPU begins here. */
static void cpu_main(void)
{
    desc_init(&exception_stacks[cpu_id()]);
    cpu_init();
    model_mend();
    inspect_cpu();
    mce_init();
    lapic_init(lapic_page);
    if (is_parked())
        log_info("pCPU %u: smt=off: no guests run here", cpu_id());
    else if (runs_guests && (!spec_start() || virt_cpu_enable()))
        log_error("pCPU %u cannot run guests", cpu_id());
    else if (runs_guests)
        sched_join();
    mce_poll_start();
    __atomic_add_fetch(&others_ready, 1, __ATOMIC_RELEASE);
    sched_loop();
}

static uint32_t core_number(unsigned pcpu)
{
    return topology_core(percpu[pcpu].apic_id);
}

static const void *map_table(maddr_t start, size_t size)
{
    return aspace_map(start, size, ASPACE_RO);
}

/* In one piece, as neighbours of one kind are. */
static bool is_reserved(maddr_t start, uint64_t size)
{
    for (const struct mem_region *r = boot.regions; r < boot.regions + boot.region_count; r++) {
        if (r->kind == MEM_RESERVED && r->start.v <= start.v &&
            start.v + size <= r->start.v + r->size)
            return true;
    }
    return false;
}

/* Its devices, when nobody but this CPU runs and nothing is printed meanwhile. */
static void find_devices(void)
{
    uint64_t screen = boot.framebuffer.bpp ? boot.framebuffer.start.v : VGA_MADDR;
    struct pci_use uses[3];
    unsigned n = 0;

    if (options.vga)
        uses[n++] = (struct pci_use){ screen, .as = "screen" };
    if (options.com1)
        uses[n++] = (struct pci_use){ UART_COM1, .io = true, .as = "COM1" };
    if (options.com2)
        uses[n++] = (struct pci_use){ UART_COM2, .io = true, .as = "COM2" };
    pci_start(uses, n, is_reserved);
    if (options.iommu)
        iommu_start();
}

/* Guests are told the time from here on. */
static void read_clock(void)
{
    int64_t epoch = 0;

    if (!rtc_read(&epoch))
        log_warn("no clock at ports 0x70 and 0x71: the guests' calendars start in 1970");
    wallclock_set(epoch);
}

static void machine_start(void)
{
    model_read();
    model_mend();
    spec_decide(&options.spec);
    topology_read();
    inspect_cpu();
    acpi_read(boot.has_rsdp ? boot.rsdp : NULL, map_table);
    mtrr_read();
    tsc_calibrate(acpi.pm_timer_port, uart_irq); /* time for the log to get out */
    tsc_check_invariant();
    read_clock();
    ioapic_init(acpi.ioapic.v ? aspace_map(acpi.ioapic, PAGE_SIZE, ASPACE_UC) : NULL);
    lapic_page = must_have(aspace_map(acpi.lapic, PAGE_SIZE, ASPACE_UC));
    lapic_init(lapic_page);
    nmi_init();
    mce_init();
    find_devices();
}

static void start_other_cpus(void)
{
    maddr_t low = frame_reserve_low();
    void *low_map = low.v ? aspace_map(low, PAGE_SIZE, ASPACE_RW) : NULL;

    smp_set_limit((unsigned)options.max_cpus);
    if (low_map)
        smp_start(low, low_map, aspace_root(), new_cpu_stack, cpu_main);
    else if (acpi.cpu_count > 1)
        log_warn("no free page below 1 MiB: the other CPUs stay off");
    while (__atomic_load_n(&others_ready, __ATOMIC_ACQUIRE) < cpu_count - 1) {
        uart_irq(); /* so that domains find all pCPUs on which they may run; the log goes on */
        cpu_relax();
    }
    if (options.by_core)
        log_info("sched-gran=core: %u core(s) run one domain at a time", sched_cores());
}

/* QEMU's TCG, by the hypervisor's leaf of CPUID. */
static bool in_tcg(void)
{
    return cpuid(1, 0).ecx & CPUID_1C_HYPERVISOR &&
           cpuid(0x40000000, 0).ebx == 0x54474354; /* "TCGT" */
}

/* In TCG a CPU that restores its FPU may take back what VMRUN or an exit has just changed of the
 * boot CPU's state (docs/qemu.md, "The boot CPU"). */
static bool keeps_boot_cpu(void)
{
    return options.boot_cpu == BOOT_CPU_AUTO ? in_tcg() : options.boot_cpu == BOOT_CPU_OWN;
}

/* Guests run on the boot CPU where no other can. */
static void join_if_needed(void)
{
    if (!sched_joined())
        sched_join();
    else if (keeps_boot_cpu())
        log_info("smp: guests run on the other CPUs, not on the boot CPU");
}

/* Before power-off and reboot: nothing runs any more, and no CPU is left with virtualization on. */
static void quiesce(void)
{
    if (LOCKDEP && bound_stop)
        bound_stop(); /* nobody waits for this pCPU any more */
    console_finish();
    sinks_go_polled();
    smp_stop_others();
    virt_cpu_disable();
}

static void panic_context(void)
{
    const struct sched_unit *u = sched_running();

    if (!u || u->run != vcpu_run) {
        log_error("it served no domain");
        return;
    }
    const struct vcpu *v = LIST_ENTRY(u, struct vcpu, unit);
    log_error("it served domain %u (%s), vCPU %u", v->domain->xen.id, v->domain->name, v->id);
    for (unsigned part = 0; virt_dump_control(&v->virt, part); part++)
        ;
}

static void set_ends(void)
{
    panic_set_prepare(sinks_go_polled);
    panic_set_context(panic_context);
    smp_on_stop(virt_cpu_disable);
    power_set_hook(quiesce);
}

/* What exit= says, when no domain is left or none can run. */
static void no_domain_left(void)
{
    switch (options.exit) {
    case EXIT_MONITOR:
        log_info("the monitor lives on: `create` makes domains, `poweroff` ends it");
        console_select(NULL);
        return;
    case EXIT_REBOOT:
        host_reboot();
    case EXIT_SHUTDOWN:
        host_power_off();
    case EXIT_HALT:
        break;
    }
    log_info("halted; the machine can be switched off");
    quiesce();
    host_halt();
}

/* The modules stay where the boot loader put them, mapped read-only. An empty one has no frame: at
 * its address may be anybody's. */
static void map_modules(void)
{
    for (struct module *m = boot.modules; m < boot.modules + boot.module_count; m++)
        m->data = m->size ? must_have(aspace_map(m->start, m->size, ASPACE_RO)) : "";
}

/* The operator's side: the serial port, the screen and the keyboard, as far as there are any. */
static void start_monitor(bool first)
{
    struct console_config config = { .port = sinks_uart(),
                                     .screen = options.vga ? sinks_screen_text : NULL,
                                     .shared = options.monitor,
                                     .switch_key = options.switch_key,
                                     .monitor_first = first };

    log_set_mark((uint32_t)(cpu_random() >> 32));
    sinks_use_interrupts();
    sinks_paint_later();
    console_init(&config, monitor_init());
    if (options.vga && keyboard_open(console_received) &&
        irq_route_isa(KEYBOARD_ISA_LINE, keyboard_irq)) {
        log_warn("keyboard: no interrupt for it, polling it");
        poll_add(keyboard_irq);
    }
}

static void start_domains(void)
{
    static const struct domain_hooks hooks = {
        .ended = lifecycle_ended,
        .console_open = console_open,
        .console_close = console_close,
        .console_drained = console_drained,
        .console_put = console_put,
        .console_room = console_room,
        .hypercall = hypercall_handle,
        .hypercall_lockless = hypercall_lockless,
        .hypercall_locked = hypercall_locked,
    };

    domain_set_hooks(&hooks);
    virt_set_fetch(device_access_fetch);
    virt_set_read(device_access_read);
    start_monitor(options.monitor_first);
    lifecycle_begin(boot.modules, boot.module_count, no_domain_left);
}

/* For whoever sits before it: the log, and a way to switch off. */
static _Noreturn void go_on_without_guests(void)
{
    if (options.exit != EXIT_MONITOR)
        no_domain_left();
    log_info("the monitor is there all the same; help lists what it can do");
    start_monitor(true);
    sched_loop();
}

/* In Bochs, which has port 0xE9 and hides behind no hypervisor's CPUID. Elsewhere an SMI or a host
 * below takes time too. */
static bool ticks_are_instructions(void)
{
    return port_e9_present() && !(cpuid(1, 0).ecx & CPUID_1C_HYPERVISOR);
}

/* Debug builds alone. TCG's TSC is the host's, which runs other programs in the middle of whatever
 * is measured; with -icount it counts instructions, as bounds=strict says. */
static void start_bounds(void)
{
    if (!LOCKDEP || !bound_start)
        return;
    if (options.strict || ticks_are_instructions())
        bound_start(true);
    else if (!in_tcg())
        bound_start(false);
    else
        log_info("bounds: not measured, the TSC is the host's; with -icount: bounds=strict");
}

static void main_on_stack(void)
{
    desc_init(new_exception_stacks(0));
    sinks_map_screen(&boot.framebuffer, boot.efi, &options);
    machine_start(); /* ACPI tables, clock, interrupt controllers, PCI devices */
    set_ends();
    runs_guests = !virt_probe(options.apicv) && spec_start() && !virt_cpu_enable();
    iommu_share();
    cpu_msr_start();
    if (!runs_guests)
        log_error("Caisson cannot run guests on this machine");
    sched_use_tick(!virt_caps.preemption_timer);
    sched_use_cores(options.by_core ? core_number : NULL);
    sched_start();
    if (!keeps_boot_cpu())
        sched_join();
    mce_poll_start();
    if (runs_guests || options.selftest)
        start_other_cpus();
    join_if_needed();
    if (options.selftest)
        report(&boot, options.smt);
    if (!runs_guests || options.selftest)
        go_on_without_guests();
    map_modules();
    frame_fail_nth(options.fail_alloc);
    start_domains();
    start_bounds();
    sched_loop();
}

_Noreturn void main(uint64_t info, uint32_t magic)
{
    cpu_seed_canary();
    percpu_init_boot();
    if (lockdep_start)
        lockdep_start(cpu_id);
    desc_init(NULL); /* from here on a panic can be read */
    sinks_trail("S");
    int err = read_boot_info(info, magic); /* modules, memory map, options */
    sinks_trail("ON\r\n");
    sinks_start(&options); /* port 0xE9, serial ports */
    if (err)
        panic("nothing usable came from the boot loader");
    say_hello();
    virt_choose();
    cpu_init();     /* WP, NXE, SMEP, SMAP, UMIP */
    memory_start(); /* frames, our own page tables */
    percpu_run_on_stack(must_have(aspace_stack()), main_on_stack);
}
