/*
 * The ends of the machine: off, again, or still.
 */
#ifndef CAISSON_ARCH_X86_POWER_H
#define CAISSON_ARCH_X86_POWER_H

/* fn is called once, on the calling pCPU, before power-off and reboot: stops the other CPUs and
 * switches virtualization off, since a CPU ignores INIT in VMX operation. Boot only. */
void power_set_hook(void (*fn)(void));

/* Ends the machine, whatever of it works: ACPI, then the emulators' doors, then HLT. */
_Noreturn void host_power_off(void);
_Noreturn void host_reboot(void);
_Noreturn void host_halt(void);

#endif
