/*
 * Non-maskable interrupts that nobody in Caisson has sent: a button, a watchdog of the board, the
 * chipset's way to tell of errors.
 */
#ifndef CAISSON_ARCH_X86_NMI_H
#define CAISSON_ARCH_X86_NMI_H

/* Opens the boot CPU's NMI pin. Boot CPU, after lapic_init(). */
void nmi_init(void);

/* From the trap handler, for one that no one else has claimed. It is told of as soon as interrupts
 * are let in. */
void nmi_note(void);

#endif
