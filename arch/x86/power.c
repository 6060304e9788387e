/*
 * The ends of the machine: off, again, or still.
 *
 * Each end is a row of attempts, from the one that the firmware names to the one that always
 * works. Nothing here waits for an answer for long: the machine is going down.
 *
 * Sources: ACPI specification, "PM1 Control Registers" and "Reset Register"; the emulators' own
 * documentation for their doors; Intel chipset data sheets, "Reset Control Register" (0xCF9).
 */
#include "arch/x86/power.h"

#include "arch/x86/acpi.h"
#include "arch/x86/insn.h"
#include "lib/log.h"

#define PM1_SCI_EN       (1u << 0)
#define PM1_SLP_TYP(n)   ((uint16_t)((n) << 10))
#define PM1_SLP_TYP_MASK (7u << 10)
#define PM1_SLP_EN       (1u << 13)

/* Emulators' doors: Bochs reads a word there byte by byte, old QEMU machines have PM1 there. */
#define PORT_BOCHS_SHUTDOWN 0x8900
#define PORT_QEMU_PIIX4_PM1 0x604
#define PORT_QEMU_OLD_PM1   0xB004
#define QEMU_SOFT_OFF       0x2000

#define PORT_RESET_CONTROL 0xCF9
#define RESET_FULL         0x06 /* RST_CPU | SYS_RST */
#define PORT_KBD_COMMAND   0x64
#define KBD_BUSY           0x02
#define KBD_PULSE_RESET    0xFE

#define ROUNDS_ACPI_MODE 1000000
#define ROUNDS_KBD       100000
#define ROUNDS_AFTER     1000000 /* what a chipset is given to act on a write */

static void (*power_hook)(void); /* boot only */

void power_set_hook(void (*fn)(void))
{
    power_hook = fn;
}

/* Takes the hook away first: it runs once, even if something fails within it. */
static void power_prepare(void)
{
    void (*fn)(void) = power_hook;

    power_hook = NULL;
    irq_disable();
    if (fn)
        fn();
}

static void power_pause(void)
{
    for (unsigned i = 0; i < ROUNDS_AFTER; i++)
        cpu_relax();
}

/* Firmware leaves the machine in legacy mode, where PM1 does not listen on real chipsets. */
static void power_enter_acpi_mode(void)
{
    if (acpi.smi_command == 0 || acpi.acpi_enable == 0 || (inw(acpi.pm1a_control) & PM1_SCI_EN))
        return;
    outb(acpi.smi_command, acpi.acpi_enable);
    for (unsigned i = 0; i < ROUNDS_ACPI_MODE && !(inw(acpi.pm1a_control) & PM1_SCI_EN); i++)
        cpu_relax();
}

static void power_sleep(uint16_t port, uint8_t type)
{
    uint16_t keep = inw(port) & (uint16_t) ~(PM1_SLP_TYP_MASK | PM1_SLP_EN);

    outw(port, keep | PM1_SLP_TYP(type));
    outw(port, keep | PM1_SLP_TYP(type) | PM1_SLP_EN);
}

static void power_off_acpi(void)
{
    if (!acpi.has_s5 || acpi.pm1a_control == 0)
        return;
    power_enter_acpi_mode();
    power_sleep(acpi.pm1a_control, acpi.s5_type_a);
    if (acpi.pm1b_control)
        power_sleep(acpi.pm1b_control, acpi.s5_type_b);
    power_pause();
}

static void power_off_emulator(void)
{
    for (const char *p = "Shutdown"; *p; p++)
        outb(PORT_BOCHS_SHUTDOWN, (uint8_t)*p);
    outw(PORT_QEMU_PIIX4_PM1, QEMU_SOFT_OFF);
    outw(PORT_QEMU_OLD_PM1, QEMU_SOFT_OFF);
    power_pause();
}

void host_halt(void)
{
    for (;;) {
        irq_disable();
        halt();
    }
}

void host_power_off(void)
{
    power_prepare();
    power_off_acpi();
    power_off_emulator();
    log_error("power: the machine does not switch itself off; it is safe to do so by hand");
    host_halt();
}

static void power_reset_acpi(void)
{
    if (!acpi.has_reset)
        return;
    outb(acpi.reset_port, acpi.reset_value);
    power_pause();
}

static void power_reset_chipset(void)
{
    outb(PORT_RESET_CONTROL, RESET_FULL & ~4u);
    outb(PORT_RESET_CONTROL, RESET_FULL);
    power_pause();
}

static void power_reset_keyboard(void)
{
    for (unsigned i = 0; i < ROUNDS_KBD && (inb(PORT_KBD_COMMAND) & KBD_BUSY); i++)
        cpu_relax();
    outb(PORT_KBD_COMMAND, KBD_PULSE_RESET);
    power_pause();
}

void host_reboot(void)
{
    power_prepare();
    power_reset_acpi();
    power_reset_chipset();
    power_reset_keyboard();
    triple_fault();
    host_halt();
}
