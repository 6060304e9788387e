/*
 * A PCI device that a domain has, with nothing real on either side: its configuration space is
 * tests/fakes/config_space, its registers are memory, the domain is a few places in a p2m.
 *
 * passed_check() is what must hold at any moment, whatever the guest did.
 */
#ifndef CAISSON_TESTS_FAKES_PASSED_H
#define CAISSON_TESTS_FAKES_PASSED_H

#include <stdbool.h>
#include <stdint.h>
#include "guestmem/p2m.h"
#include "passthrough/assigned.h"
#include "sched/sched.h"
#include "tests/fakes/config_space.h"

#define PASSED_BDF     FAKE_BDF(0, 4, 0)
#define PASSED_OWNER   7
#define PASSED_BASE    0xFE000000u /* of BAR 0 on the machine, 16 KiB, in two words */
#define PASSED_SMALL   0xFE010040u /* of BAR 2: 64 bytes */
#define PASSED_PORTS   0xC000u     /* BAR 3: 32 of them */
#define PASSED_IOMMU   0xFEB80000u
#define PASSED_LOW     0xC0000000u /* where a guest's BARs may be */
#define PASSED_LOW_END 0xFEC00000u
#define PASSED_HIGH    0x8000000000ul
#define PASSED_RAM     0x40000000ul /* bytes of it, from 0 */
#define PASSED_IRQ     10           /* the line of its pin, if firmware gave it one */
#define PASSED_COUNT   5            /* entries in its table, in BAR 0 */
#define PASSED_PCPUS   4
#define PASSED_TABLE   0x2000
#define PASSED_BITS    0x3000
enum {
    PASSED_PM = 0x40,
    PASSED_MSI = 0x50,
    PASSED_MSIX = 0x68,
    PASSED_EXPRESS = 0x80,
    PASSED_VENDORS = 0x90
};

extern struct fake_function *passed_hardware;
extern uint16_t passed_bdf; /* PASSED_BDF, if a test has not moved it */
extern struct assigned *passed;
extern struct vpci passed_bus;
extern uint8_t passed_registers[0x4000], passed_small[64], passed_ports[32];
extern unsigned passed_mapped;             /* pieces that are in the p2m */
extern unsigned passed_delivered;          /* interrupts */
extern struct apic_message passed_message; /* the last one */
extern unsigned passed_told;
extern unsigned passed_came_out; /* its vCPUs, all at once */
extern bool passed_in_the_way;   /* tables, where a large mapping is to be */
extern uint64_t passed_taken;    /* frames that the p2m takes away in one go */
extern unsigned passed_given;    /* how often the CPU was told of a device that a domain gets */
extern unsigned passed_routes;   /* that the IOMMU was asked for */
extern unsigned passed_reaches;  /* local APICs, each message */
extern unsigned passed_vectors; /* that the machine has; before the first domain takes the device */
extern struct sched_group passed_group, passed_other; /* the domain's, and a neighbour's */
extern const struct sched_group *passed_runs;         /* on all pCPUs */
extern struct sched_unit passed_unit[4];              /* the domain's vCPUs */
extern bool passed_attached;                          /* by the IOMMU */
extern bool passed_ignores_mask;
extern int passed_iommu_error, passed_route_error;
extern int passed_line_error; /* of its line, by what the I/O APIC knows */
extern bool passed_line_masked;
extern bool passed_level[VPCI_LINES]; /* of the guest's board */

/* A machine with the device; nobody has it yet. */
void passed_reset(void);
/* BAR 0 is larger, and elsewhere. Before a domain takes it. */
void passed_enlarge(uint64_t base, uint64_t size);
/* A domain takes it: 0, or the error. */
int passed_attach(void);
void passed_check(void);
/* It has an interrupt pin, and the guest's board has lines. Before a domain takes it. */
void passed_give_line(void);
/* It asserts its pin, if it may. False: nobody hears of it. */
bool passed_line_comes(void);
/* Interrupt `index` of the device comes, if it may send it. */
void passed_interrupt(unsigned index);
/* The IOMMU lets it through. */
bool passed_is_routed(unsigned index);
/* And to this pCPU. */
unsigned passed_goes_to(unsigned index);
/* A vector comes on that pCPU; the caller stays where he is. */
void passed_raise(unsigned pcpu, uint8_t vector);
/* Time goes on, and the timer fires if it is due. */
void passed_wait(uint64_t ticks);
/* What the p2m has at this address; 0: nothing. */
uint64_t passed_behind(uint64_t at);
/* The domain has put something of its own there. */
void passed_put(uint64_t at, uint64_t frame);

/* As the guest does: by its ports, and in its memory. */
uint32_t passed_config_read(unsigned reg, unsigned size);
void passed_config_write(unsigned reg, unsigned size, uint32_t value);

#endif
