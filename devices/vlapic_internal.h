/*
 * What the files of the local APIC share: register numbers and the calls between them.
 *
 * A register has one number in both modes: its offset in the page divided by 16, which is its MSR
 * minus 0x800 (SDM, "x2APIC Register Address Space").
 */
#ifndef CAISSON_DEVICES_VLAPIC_INTERNAL_H
#define CAISSON_DEVICES_VLAPIC_INTERNAL_H

#include "devices/vlapic.h"

enum vlapic_reg {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0A,
    REG_EOI = 0x0B,
    REG_RRD = 0x0C,
    REG_LDR = 0x0D,
    REG_DFR = 0x0E,
    REG_SVR = 0x0F,
    REG_ISR = 0x10, /* eight registers each */
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR_LOW = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32, /* LVT_COUNT registers */
    REG_INITIAL = 0x38,
    REG_CURRENT = 0x39,
    REG_DIVIDE = 0x3E,
    REG_SELF_IPI = 0x3F, /* x2APIC only */
};

#define SVR_ENABLE (1u << 8)
#define SVR_BITS   0x1FFu /* no focus checking, no suppression of EOI broadcasts */

/* Fields of an LVT entry (SDM, "Local Vector Table"). */
#define LVT_VECTOR      0xFFu
#define LVT_MODE(value) (((value) >> 8) & 7)
#define LVT_MODE_BITS   (7u << 8)
#define LVT_STATUS_BITS (1u << 12 | 1u << 14) /* delivery status, remote IRR: read-only */
#define LVT_PIN_BITS    (1u << 13 | 1u << 15) /* polarity, trigger */
#define LVT_MASKED      (1u << 16)
#define LVT_TIMER_SHIFT 17
#define LVT_TIMER_BITS  (3u << LVT_TIMER_SHIFT)
extern const uint32_t vlapic_lvt_bits[LVT_COUNT]; /* the writable ones */

#define DIVIDE_BITS 0xBu

/* Fields of the ICR's lower half (SDM, "Interrupt Command Register (ICR)"). */
#define ICR_LOW_BITS  0x000CCFFFu
#define ICR_MODE      (7u << 8)
#define ICR_SHORTHAND 18

/* Bits of the error status register. */
#define ESR_SEND_VECTOR    (1u << 5)
#define ESR_RECEIVE_VECTOR (1u << 6)
#define ESR_REGISTER       (1u << 7)

/* vlapic.c */
void vlapic_error(struct vlapic *l, uint32_t bit);
void vlapic_lvt_fire(struct vlapic *l, enum vlapic_lvt which);
void vlapic_eoi(struct vlapic *l);
void vlapic_self_ipi(struct vlapic *l, uint8_t vector);

/* vlapic_regs.c: false if there is no such register. */
bool vlapic_reg_read(struct vlapic *l, unsigned reg, uint32_t *value, uint64_t now);
bool vlapic_reg_write(struct vlapic *l, unsigned reg, uint32_t value, uint64_t now);
/* Copies into the page what a processor may read there. */
void vlapic_show_all(struct vlapic *l);
/* What IA32_APICBASE has room for, beside the address: is all else 0, and the mode one that there
 * is? */
bool vlapic_base_fits(const struct vlapic *l, uint64_t value);
uint32_t vlapic_logical_id(const struct vlapic *l);
extern const struct device_ops vlapic_ops;

/* vlapic_timer.c */
void vlapic_timer_reset(struct vlapic *l);
void vlapic_timer_run(struct vlapic *l, uint64_t now); /* fires what is due; before every access */
void vlapic_timer_set_initial(struct vlapic *l, uint32_t count, uint64_t now);
void vlapic_timer_set_divide(struct vlapic *l, uint32_t divide, uint64_t now);
void vlapic_timer_set_lvt(struct vlapic *l, uint32_t value);
uint32_t vlapic_timer_current(const struct vlapic *l, uint64_t now);
/* It goes on from this count, or counts no more if that is 0. */
void vlapic_timer_restore(struct vlapic *l, uint32_t initial, uint32_t current, uint64_t now);
uint64_t vlapic_timer_due(const struct vlapic *l);

#endif
