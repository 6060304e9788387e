/*
 * What the two sides of the racer agree on: where the memory is that one has Caisson read while the
 * other changes it.
 */
#ifndef GUEST_RACER_H
#define GUEST_RACER_H

#include <stdbool.h>
#include <stdint.h>
#include "include/public/event_channel.h"
#include "include/public/grant_table.h"
#include "include/public/io/console.h"
#include "include/public/xen.h"

/* RAM (mem=16M): spare pages that arguments may name, 2 MiB of them; the last pages for arguments,
 * where an array that is too long runs into nothing. */
#define SPARE       0x800000ul
#define SPARE_PAGES 512
#define MULTICALLS  0xffd000ul
#define ARGUMENTS   0xffe000ul
#define ARG_WORDS   24 /* three of the longest structure */

#define HOLE 0xD0000000ul /* reads as ones; instructions on it are emulated */

/* Linear addresses, behind page tables that change. No half of what arguments are made of leads to
 * the code: what a call wrote there would be run. */
#define RACED_CODE 0x4000a0000000ul
#define RACED_DATA 0x400040000000ul
#define DATA_PAGES 8

#define FIFO_WORDS 64 /* ports whose words are changed */

struct raced {
    struct xen_vcpu_info *info;        /* of vCPU 0 */
    struct xen_shared_info *shared;    /* */
    struct xencons_interface *console; /* NULL: there is none */
    struct xen_grant_entry *grants;
    uint64_t *pdpt, *code_pd, *code_pt, *data_pd, *data_pt;
    uint8_t *code[2];     /* two pages, of which RACED_CODE shows one */
    uint8_t *areas;       /* a page: runstate, time */
    uint32_t *fifo_words; /* a page */
    struct xen_evtchn_fifo_control_block *fifo_control[2];
    volatile uint32_t port; /* leads to vCPU 0; 0: none at the moment */
    volatile uint64_t turn; /* odd: Caisson is at work for vCPU 0; changes at each end of that */
};
extern struct raced raced;

/* ---- Chance ---- */

static inline uint32_t any(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ul + 1442695040888963407ul;
    return (uint32_t)(*seed >> 33);
}

/* A number as arguments have them, and an address: mostly good, never of memory that this guest
 * stands in. */
uint64_t any_number(uint64_t *seed);
uint64_t any_pointer(uint64_t *seed);
/* Which hypercall one of several may be. */
uint64_t any_multicall(uint64_t *seed);

/* ---- The two sides ---- */

/* A flip is a write that changes something. */
#define FLIP_KINDS 9
extern const char *const flip_name[FLIP_KINDS];
struct flipper {
    uint64_t seed, flips;
    uint64_t of_kind[FLIP_KINDS];
    uint64_t raced; /* those while Caisson was at work for vCPU 0 */
    volatile bool done;
};
/* For vCPU 1: arg is a struct flipper. */
void flip(void *arg);
/* Puts code and tables into a state in which they can be used. */
void flip_prepare(uint64_t *seed);

/* For vCPU 0: one deed, chosen by chance. */
#define DEEDS 6
struct acted {
    uint64_t deeds[DEEDS], with_queues; /* of them all: while events come by FIFO queues */
    uint64_t upcalls, calls, refused, instructions, faults;
};
extern struct acted acted;
extern const char *const deed_name[DEEDS];
void act(uint64_t *seed);
/* Before the first. False: this hypervisor lacks something. */
bool act_prepare(void);

#endif
