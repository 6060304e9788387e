/*
 * AMD's IOMMUs, between the files of this room.
 */
#ifndef CAISSON_IOMMU_AMD_H
#define CAISSON_IOMMU_AMD_H

#include <stdbool.h>
#include <stdint.h>
#include "iommu/driver.h"
#include "lib/addr.h"

/* What the firmware says of one of them. */
struct amd_unit {
    maddr_t base; /* of its registers */
    uint16_t segment, bdf;
    uint8_t flags; /* for the control register */
};

/* ---- ivrs.c ---- */

/* Reads the table, and calls those below as it goes. Logs and passes over what is broken. */
void ivrs_read(const uint8_t *bytes, uint32_t length);

/* A unit, which may come several times: its number, or 0 if there are too many (amd.c). Devices
 * that are behind it, and need these settings; those among them that send under another's name; one
 * that is an I/O APIC; those for which the firmware keeps memory (amd_device.c). */
uint8_t amd_add(const struct amd_unit *info);
void amd_set(uint8_t unit, uint16_t from, uint16_t to, uint8_t settings);
void amd_alias(uint16_t from, uint16_t to, uint16_t other);
void amd_let_ioapic(uint16_t bdf);
void amd_keep(uint16_t from, uint16_t to);

/* ---- amd.c ---- */

/* The driver; NULL: no unit works. */
const struct iommu_driver *amd_start(const uint8_t *ivrs, uint32_t length);

/* Commands: to forget a device's entry, mappings, a device's interrupt table. */
#define AMD_FORGET_ENTRY  (2ul << 60)
#define AMD_FORGET_PAGES  (3ul << 60)
#define AMD_FORGET_ROUTES (5ul << 60)

bool amd_answers(uint8_t unit); /* of a number; 0 does not */
/* A name of a device says which one: the table has no place for segments. */
bool amd_one_segment(void);
/* The unit (0: each) keeps nothing of this device's entry and interrupts. False: no answer. */
bool amd_forget(uint8_t unit, uint16_t bdf);
bool amd_flush(const struct iommu_use *u, gfn_t start, uint64_t frames);
void *amd_unit(uint8_t unit); /* for struct iommu_use; not 0 */
/* If it told of too many, it tells of others again. Boot CPU. */
void amd_hear_again(void *unit);

/* ---- amd_device.c ---- */

/* Blocks all. False: no memory. */
bool amd_make_table(void);
/* As the units' register takes it. */
uint64_t amd_device_table(void);

void amd_share(void);
int amd_attach(struct iommu_use *u);
bool amd_detach(struct iommu_use *u);
void amd_block(struct iommu_use *u);
void amd_silence(uint16_t bdf);
int amd_route(struct iommu_use *u, unsigned index, uint32_t apic_id, uint8_t vector,
              struct msi_message *out);
void amd_unroute(struct iommu_use *u, unsigned index);

#endif
