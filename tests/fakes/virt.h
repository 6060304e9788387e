/*
 * A vCPU of VT-x as a plain struct, for tests of what stands above vmx/: link tests/fakes/virt.c in
 * its place.
 *
 * Whatever the code under test sets is found here, and what it is to read is put here. Setters of
 * control registers take any value unless the test says which one is refused.
 */
#ifndef CAISSON_TESTS_FAKES_VIRT_H
#define CAISSON_TESTS_FAKES_VIRT_H

#include "virt/state.h"
#include "virt/virt.h"

#define FAKE_FPU_BYTES 832

struct fake_virt {
    const struct virt_vcpu *of;
    uint64_t rsp, rip, rflags, cr0, cr2, cr3, cr4, efer, xcr0, tsc_offset;
    struct segment seg[SEG_COUNT];
    uint64_t gdt_base;
    uint16_t gdt_limit;
    uint64_t vector[16][4]; /* registers of virt/fpu.h */
    uint64_t mmx[8];
    unsigned x87;                    /* instructions of the x87 */
    unsigned taken, task_switches;   /* virt_event_taken(), virt_task_switched() */
    struct event pending;            /* what was injected last */
    unsigned injected;               /* how many were */
    bool triple;                     /* the next injection answers: a triple fault */
    bool irq_closed;                 /* virt_irq_open() answers false */
    bool irq_window;                 /* asked for */
    unsigned nmis;                   /* queued */
    unsigned skips;                  /* instructions stepped over */
    unsigned insn_len;               /* of the instruction that exited, for virt_skip() */
    struct virt_io_string io_string; /* if it is one of string I/O */
    uint64_t refused;                /* a value that no setter takes; ~0: every one is taken */
    enum virt_apic_mode apic_mode;
    uint8_t requested, served; /* as virt_set_interrupts() told */
    unsigned tells;            /* how often it did */
    uint64_t eoi_exits[4];
    struct virt_breakpoints breakpoints;
    bool dr7_free;  /* virt_watch_dr7() has said so */
    uint32_t traps; /* what virt_debug_trap() told last; 0: nothing since */
    uint32_t msr;   /* one MSR that vmx/ answers for, and its value */
    uint64_t msr_value;
    uint8_t fpu[FAKE_FPU_BYTES]; /* its image; one with this as its first byte is refused: */
    uint64_t fpu_xcr0;
    struct virt_start put_start; /* as virt_state_put() was given them */
    struct virt_rest put_rest;
    unsigned puts;
};
#define FAKE_FPU_BAD 0xEE

/* The state behind v; made at the first call, as after fake_virt_reset(): real mode, all zero. */
struct fake_virt *fake_virt(const struct virt_vcpu *v);
void fake_virt_reset(void);

/* What virt_stay() does about a quick action's answer, which is handed on. */
enum exit_answer fake_virt_answered(struct virt_vcpu *v, enum exit_answer answer);

extern unsigned fake_virt_fail_create; /* virt_vcpu_create() answers -ENOMEM this many times */
extern unsigned fake_virt_dumps;
extern unsigned fake_virt_notified; /* irq_notify_posted(): that pCPU + 1 */
extern unsigned fake_iommu_flushes; /* iommu_flush(), where iommu/iommu.c is not linked */
extern unsigned fake_virt_flushes;  /* virt_flush_slat() */

#endif
