/*
 * The hvm machine: where its devices are and which lines they drive. All addresses of it are here.
 *
 * A small PC of about 2005: what every operating system knows without being told, plus ACPI.
 */
#ifndef CAISSON_MACHINE_PC_H
#define CAISSON_MACHINE_PC_H

/* Memory. The local APICs are at VLAPIC_DEFAULT_BASE, the ACPI tables where loader/memmap.h says.
 */
#define HVM_IOAPIC_BASE 0xFEC00000u
#define HVM_IOAPIC_ID   0
#define HVM_HPET_BASE   0xFED00000u
#define HVM_ECAM_BASE   0xC0000000u /* PCI's configuration space, also of a pvh machine */

/* Ports. */
#define HVM_PIC1_PORT     0x20 /* 2 ports */
#define HVM_PIT_PORT      0x40 /* 4 ports */
#define HVM_I8042_DATA    0x60
#define HVM_PORT_61       0x61
#define HVM_I8042_STATUS  0x64
#define HVM_RTC_PORT      0x70 /* 2 ports */
#define HVM_FAST_A20_PORT 0x92
#define HVM_PIC2_PORT     0xA0 /* 2 ports */
#define HVM_SMI_PORT      0xB2
#define HVM_COM2_PORT     0x2F8 /* 8 ports */
#define HVM_COM1_PORT     0x3F8 /* 8 ports */
#define HVM_PIC_ELCR      0x4D0 /* 2 ports */
#define HVM_DEBUG_PORT    0x402
#define HVM_FWCFG_PORT    0x510 /* VFWCFG_SIZE ports */
#define HVM_PM_BASE       0x600 /* VPM_BLOCK_SIZE ports */
#define HVM_PCI_PORT      0xCF8 /* VPCI_SIZE ports; the next lies among them */
#define HVM_RESET_PORT    0xCF9
#define HVM_CRTC_PORT     0x3D4
#define HVM_PORTS_FREE    0xC000 /* to the last: for PCI devices */
#define HVM_RESET_VALUE   0x06

struct machine;
/* Its timer and interrupt controllers as a PC's firmware hands them over: for a kernel that is not
 * known to program them first. */
void pc_start_as_firmware(struct machine *m);
struct vlapic;
/* The first CPU's local APIC the same. */
void pc_set_virtual_wire(struct vlapic *l);

/* CMOS. */
#define HVM_RTC_CENTURY 0x32 /* register with the century, as on most PCs */

/* Interrupt lines: ISA numbers, which are GSIs too, but for the timer. */
#define HVM_PIT_IRQ  0
#define HVM_PIT_GSI  2
#define HVM_COM2_IRQ 3
#define HVM_COM1_IRQ 4
#define HVM_RTC_IRQ  8
#define HVM_SCI_IRQ  9
#define HVM_PCI_GSI  16 /* the first of VPCI_LINES; dsdt.asl has them too */

#endif
