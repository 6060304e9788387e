/*
 * A pretended unit of AMD's IOMMU: it reads its tables and rings from memory as a real one does,
 * and the test lets devices try to get through it.
 *
 * It keeps whatever it may keep, for as long as it may: entries of the device table, of page tables
 * and of interrupt tables, until it is told to forget them. So what is not forgotten is seen.
 */
#ifndef CAISSON_TESTS_FAKES_AMD_VI_H
#define CAISSON_TESTS_FAKES_AMD_VI_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/irq.h"

#define FAKE_VI_BASE  0xFED80000
#define FAKE_VI_BYTES 0x4000

extern uint64_t fake_vi_regs[FAKE_VI_BYTES / 8];
extern bool fake_vi_dead;          /* it does nothing */
extern unsigned fake_vi_forgotten; /* commands to forget an entry of the device table */
extern irq_fn fake_vi_handler;     /* of its interrupt, which the test calls */

#define FAKE_VI_REG(offset) fake_vi_regs[(offset) / 8]

/* As at power-on; and takes what is written to its registers. */
void fake_vi_reset(void);
/* The entry of the device table that it goes by. */
const uint64_t *fake_vi_entry(uint16_t bdf);
/* A device reads or writes; true if it gets through: *maddr is where to. */
bool fake_vi_access(uint16_t bdf, uint64_t address, bool writes, uint64_t *maddr);
/* A device sends an interrupt message with this data. */
bool fake_vi_message(uint16_t bdf, uint32_t data, uint8_t *apic_id, uint8_t *vector);
/* An event in its log. */
void fake_vi_event(uint64_t first, uint64_t second);

#endif
