/*
 * Speculation: what is done so that neither a guest learns of others through what the processor
 * does ahead of time, nor steers what it does so in Caisson. docs/speculation.md says what each
 * word means and what it costs.
 *
 * What a CPU needs is decided once, at boot, from CPUID, IA32_ARCH_CAPABILITIES, the model, and the
 * word spec= of the command line. The way into the guest and out of it then reads spec_switch, the
 * rest asks spec_is_on().
 */
#ifndef CAISSON_ARCH_X86_SPEC_H
#define CAISSON_ARCH_X86_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/word.h"

enum spec_word {
    SPEC_IBRS,       /* indirect branches of Caisson's do not follow what a guest has trained */
    SPEC_STIBP,      /* nor what the other thread of the core has */
    SPEC_SSBD,       /* loads wait for the addresses of earlier stores */
    SPEC_IBPB,       /* what one domain has trained is forgotten before another's vCPU */
    SPEC_RSB,        /* returns of Caisson's do not follow a guest's calls */
    SPEC_BHI,        /* indirect branches do not depend on a guest's branches */
    SPEC_L1D,        /* the first-level data cache is emptied before an entry */
    SPEC_VERW,       /* and the processor's internal buffers */
    SPEC_EPT,        /* no large mapping of a guest's memory is executable */
    SPEC_CLEAR,      /* general registers do not keep a guest's values in Caisson */
    SPEC_IBPB_ENTRY, /* after each exit, what has been trained is forgotten: AMD's CPUs */
    SPEC_WORDS
};

extern const char spec_names[SPEC_WORDS][11];

enum spec_state { SPEC_OFF, SPEC_NOT_NEEDED, SPEC_LACKING, SPEC_ON, SPEC_STATES };

/* What spec= wants: what the CPU needs, but for `without`; and `with` besides. */
struct spec_wish {
    bool automatic;
    uint16_t with, without; /* bits of enum spec_word */
};

/* spec=auto, off, or names and no-names with commas between. False, nothing changed, for others. */
bool spec_wish_read(struct word value, struct spec_wish *out);

/* Decides, on the boot CPU after model_read(), and says what. */
void spec_decide(const struct spec_wish *wish);
/* Sets the calling pCPU up for it. False, logged, if it lacks what the boot CPU has. */
bool spec_start(void);

/* A domain is about to have a device of the machine's: what that needs on this CPU besides is done
 * from now on, and said. Before the domain's vCPUs run for the first time: those that have run keep
 * their way into the guest. Boot CPU only. */
void spec_device_given(void);

enum spec_state spec_state(enum spec_word w);
static inline bool spec_is_on(enum spec_word w)
{
    return spec_state(w) == SPEC_ON;
}
/* One line for each word, for the report on the machine. */
void spec_report(void);
/* What a guest may learn of others on this CPU, and nothing prevents: names, or "". */
void spec_open(char *text, unsigned size);

/* ---- What guests see ---- */

/* The bits of CPUID leaf 7, EDX, that a guest may be shown; where the machine has them. */
#define SPEC_GUEST_7D                                                                              \
    (CPUID_7D_MD_CLEAR | CPUID_7D_SPEC_CTRL | CPUID_7D_STIBP | CPUID_7D_FLUSH_L1D |                \
     CPUID_7D_ARCH_CAPS | CPUID_7D_SSBD)
/* The same of AMD's leaf 80000008, EBX. */
#define SPEC_GUEST_8B                                                                              \
    (CPUID_EXT8B_IBPB | CPUID_EXT8B_IBRS | CPUID_EXT8B_STIBP | CPUID_EXT8B_IBRS_STAYS |            \
     CPUID_EXT8B_SSBD | CPUID_EXT8B_FREE_OF)
/* Does the machine have IA32_SPEC_CTRL and IA32_PRED_CMD? The latter at least? IA32_FLUSH_CMD? */
bool spec_has_ctrl(void);
bool spec_has_barrier(void);
bool spec_has_flush(void);
/* IA32_ARCH_CAPABILITIES as a guest reads it; false if the machine has none. */
bool spec_guest_capabilities(uint64_t *value);

/* ---- For virt/guard.inc and the world switches, which know where each member is ---- */

#define SPEC_ENTRY_CTRL 1u /* the guest's IA32_SPEC_CTRL is loaded */
#define SPEC_ENTRY_L1D  2u
#define SPEC_ENTRY_VERW 4u
#define SPEC_EXIT_CTRL  1u /* the guest's IA32_SPEC_CTRL is kept, ours loaded */
#define SPEC_EXIT_EACH  2u /* also if both are the same: the write is what counts */
#define SPEC_EXIT_CLEAR 4u
#define SPEC_EXIT_IBPB  8u /* looked at by svm/ alone */

struct spec_switch {
    uint8_t entry, exit;    /* SPEC_ENTRY_..., SPEC_EXIT_... */
    uint8_t calls, history; /* pairs of calls after an exit; rounds of taken branches */
    uint32_t ctrl;          /* IA32_SPEC_CTRL in Caisson */
    bool barrier;           /* IBPB: not switch.asm's affair, as is the next */
    bool guest_ctrl;        /* guests have IA32_SPEC_CTRL, and no exit keeps theirs */
};
extern struct spec_switch spec_switch; /* boot only, then read */

/* Is there anything to be done after an exit? Then it comes in at vmx_exited_guarded. */
static inline bool spec_guards_exits(void)
{
    return spec_switch.exit || spec_switch.calls || spec_switch.history;
}

#endif
