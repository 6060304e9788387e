/*
 * The fixed hardware of ACPI: PM timer, power button, RTC alarm, SCI, sleep control.
 *
 * Source: ACPI specification, "ACPI Hardware Specification", sections "PM1 Event Grouping", "PM1
 * Control Grouping" and "Power Management Timer". The offsets below are those of the block of
 * ports; the SMI command port stands apart, the machine maps it to VPM_SMI_COMMAND.
 */
#ifndef CAISSON_DEVICES_VPM_H
#define CAISSON_DEVICES_VPM_H

#include "devices/device.h"

#define VPM_STATUS      0x00 /* PM1a status, 16 bits, write 1 to clear */
#define VPM_ENABLE      0x02 /* PM1a enable, 16 bits */
#define VPM_CONTROL     0x04 /* PM1a control, 16 bits */
#define VPM_TIMER       0x08 /* 32 bits, read-only */
#define VPM_BLOCK_SIZE  0x0C
#define VPM_SMI_COMMAND 0x100

#define VPM_ACPI_ENABLE  0xE1 /* to the SMI command port: SCI_EN goes on */
#define VPM_ACPI_DISABLE 0x1E

#define VPM_TIMER_HZ 3579545

/* Bits of status and enable. */
#define VPM_TMR    (1u << 0)
#define VPM_GBL    (1u << 5)
#define VPM_PWRBTN (1u << 8)
#define VPM_RTC    (1u << 10)
#define VPM_WAK    (1u << 15) /* status only */

/* Bits of control. */
#define VPM_SCI_EN         (1u << 0)
#define VPM_SLP_TYP(value) (((value) >> 10) & 7)
#define VPM_SLP_EN         (1u << 13)

#define VPM_SLP_TYP_S5 5 /* what the DSDT's \_S5 says */

struct vpm_bus {
    void *ctx;
    /* The guest set SLP_EN with this SLP_TYP. */
    void (*sleep)(void *ctx, unsigned type);
    struct line sci;  /* level: asserted while an enabled event is pending */
    bool timer_32bit; /* else 24, as FADT flag TMR_VAL_EXT says */
};

struct vpm {
    struct device dev;
    struct vpm_bus bus;
    uint16_t status, enable, control;
    uint64_t msb_flips; /* changes of the timer's highest bit that TMR_STS has seen */
};

void vpm_init(struct vpm *v, const struct vpm_bus *bus); /* copies *bus */
void vpm_power_button(struct vpm *v);
/* The real-time clock has raised its interrupt. */
void vpm_rtc_alarm(struct vpm *v);

#endif
