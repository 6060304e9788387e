/*
 * The instruction that a guest stands at: fetched by its own page tables, decoded, remembered.
 *
 * Device memory is touched by few instructions over and over. What is known of one is the decoded
 * form and everything that it was made from: the registers that paging and decoding hang on, the
 * entries of the guest's page tables on the way, the bytes themselves. All of that is looked at
 * again each time: a guest that changes its code or its tables gets what it would get from
 * a fresh look, whether or not it flushes a TLB. Only the working out is saved.
 */
#ifndef CAISSON_EMULATE_INSN_CACHE_H
#define CAISSON_EMULATE_INSN_CACHE_H

#include "decode/decode.h"
#include "guestmem/gva.h"
#include "lib/addr.h"
#include "virt/virt.h"

struct emulator;

#define INSN_CACHE_WORDS   2 /* hold the longest instruction */
#define INSN_CACHE_ENTRIES 8 /* of a vCPU, at a hash of the address */

struct insn_cache_entry {
    uint64_t epoch; /* p2m->cache_epoch, by which `word` is where it is; 0: nothing is known */
    gva_t at;       /* linear address */
    struct virt_mode mode;
    unsigned count;
    struct window_word word[GVA_LEVELS + INSN_CACHE_WORDS]; /* page tables, then code */
    struct decode insn;
};

/* The instruction at RIP; good until the next call. NULL: e->fetch_error says why, as
 * emulate/emulator.h has it. (By address, the caller would pay for a stack canary.) */
const struct decode *insn_cache_fetch(struct emulator *e);
/* Its bytes, as many as can be read; none of it is remembered. */
unsigned insn_cache_bytes(struct emulator *e, uint8_t bytes[DECODE_MAX_BYTES]);

#endif
