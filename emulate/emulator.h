/*
 * Instructions that Caisson carries out for a guest, since they reach a device: what of the vCPU
 * and of its board they work on, and what may stop them.
 *
 * Nothing in this room acts on the domain. Functions that answer an int say what became of the
 * instruction, and exits/device_access.c does what follows of it:
 *
 *   0            so far it went well
 *   -EFAULT      the guest is owed the #PF that space->fault tells
 *   -EACCES      it is owed another exception: `vector`, with `error` as its code if it has one
 *   -ENOMEM      no memory is left for its RAM
 *   -EOPNOTSUPP  the instruction is not one that is emulated: `unknown` has its bytes
 *
 * The vCPU is loaded and the domain's lock is held throughout.
 */
#ifndef CAISSON_EMULATE_EMULATOR_H
#define CAISSON_EMULATE_EMULATOR_H

#include <stdint.h>
#include "decode/decode.h"
#include "emulate/breakpoint.h"
#include "emulate/insn_cache.h"
#include "guestmem/gva.h"
#include "lib/errno.h"

struct machine;
struct vlapic;

/* Embedded in its vCPU, whose creator fills in the first four. */
struct emulator {
    struct virt_vcpu *virt;
    struct gva_space *space;
    struct machine *machine;
    struct vlapic *lapic; /* its own, which answers at its page */
    int fetch_error;      /* see insn_cache_fetch() */
    uint8_t vector;
    uint16_t error;
    uint8_t unknown_count;
    uint8_t unknown[DECODE_MAX_BYTES];
    struct breakpoints breakpoints; /* armed by whoever has an instruction carried out */
    struct insn_cache_entry insns[INSN_CACHE_ENTRIES];
};

static inline int must_check emulator_refuse(struct emulator *e, uint8_t vector)
{
    e->vector = vector;
    e->error = 0;
    return -EACCES;
}

#endif
