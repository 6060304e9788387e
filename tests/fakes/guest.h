/*
 * A domain with one vCPU for host tests: its RAM is real (p2m, heap of tests/fakes), its VT-x is
 * tests/fakes/virt.c, and the functions of domain.c and vcpu.c that the rest of domain/ calls are
 * short stand-ins that remember.
 *
 * RAM: 0 to 640 KiB, 1 MiB to 16 MiB. Devices: 0xC0000000 up, by tests/fakes/bus.c or the real
 * machine. Links: guestmem/p2m.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c, the
 * fakes.
 */
#ifndef CAISSON_TESTS_FAKES_GUEST_H
#define CAISSON_TESTS_FAKES_GUEST_H

#include <stddef.h>
#include "decode/decode.h"
#include "domain/domain.h"
#include "tests/fakes/virt.h"

#define GUEST_ID  7
#define GUEST_END 0x1000000UL

extern struct domain guest;
extern struct domain_config guest_config; /* all of it zero, till a test says otherwise */
extern struct vcpu guest_vcpu;
extern struct sched_unit *guest_running;  /* on the test's CPU, or NULL */
extern unsigned guest_kicks, guest_inits; /* sched_kick(), vcpu_init_signal() */
extern int guest_startup_page;            /* of vcpu_startup_signal(), -1 before */
extern uint8_t guest_mtrr_type;           /* what mtrr_type() answers: 6 at start */

/* A fresh domain whose vCPU is in flat 32-bit protected mode without paging; the clock stands. */
void guest_start(void);
/* One more vCPU, which the caller puts into guest.vcpus[]. */
void guest_init_vcpu(struct vcpu *v, unsigned id);
/* Gives all back; the test fails if a frame is missing. Also fit for a cmocka teardown. */
void guest_stop(void);

/* 16: real mode. 32: flat, no paging. 64: long mode, all of the first 4 GiB mapped one to one for
 * user and supervisor, by tables at 0x1000 and 0x2000. */
void guest_mode(enum decode_mode mode);
void guest_cpl(unsigned cpl);

/* RAM by guest-physical address; a failure ends the test. */
void guest_put(uint64_t at, const void *from, size_t n);
void guest_get(uint64_t at, void *to, size_t n);
uint64_t guest_read64(uint64_t at);
void guest_write64(uint64_t at, uint64_t value);

static inline uint64_t reg(enum gpr n)
{
    return virt_gpr(&guest_vcpu.virt, n);
}

static inline void set_reg(enum gpr n, uint64_t value)
{
    virt_set_gpr(&guest_vcpu.virt, n, value);
}

static inline struct fake_virt *cpu(void)
{
    return fake_virt(&guest_vcpu.virt);
}

/* A vCPU's local APIC tells when it is due: for the bus of one. */
void guest_timer_moved(struct vlapic *l, uint64_t due);

/* Who last gave way. */
extern const struct vcpu *fake_gave_way;

#endif
