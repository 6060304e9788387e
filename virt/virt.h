/*
 * The processor's virtualization as a library: what the rest of Caisson may know of it.
 *
 * A vCPU here is a register file and the state that hardware does not switch by itself. virt_stay()
 * enters it and comes back with a typed exit; nobody above this folder knows a field or a number of
 * the processor's. vmx/ and svm/ stand behind it.
 *
 * All functions taking a struct virt_vcpu want it loaded on the calling pCPU (virt_load), save for
 * create and destroy. No locks: a loaded vCPU belongs to its pCPU. Interrupts are off throughout.
 */
#ifndef CAISSON_VIRT_VIRT_H
#define CAISSON_VIRT_VIRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/likely.h"
#include "virt/slat.h"

/* ---- The machine ---- */

/* Chooses the back end for this CPU. Boot only, before all else here, while text is writable. */
void virt_choose(void);

/* What this CPU can do for guests beyond the needed. Filled by virt_probe(); read-only afterwards.
 */
struct virt_caps {
    struct slat_format slat;
    bool vpid; /* a TLB tag for each vCPU */
    bool slat_1g;
    bool slat_2m;
    bool small_code;       /* no large mapping is executable (SPEC_EPT) */
    bool slat_ad;          /* accessed and dirty bits */
    bool preemption_timer; /* and its rate: one tick per 2^preemption_shift TSC ticks */
    uint8_t preemption_shift;
    bool true_controls;
    bool tsc_scaling;
    bool pause_loop_exiting;
    bool xsaves;
    bool bus_locks;          /* an exit after each */
    bool tpr_shadow;         /* CR8 is the guest's own */
    bool apic_access;        /* and its local APIC's page, as far as it goes without exits */
    bool virtual_interrupts; /* the processor delivers them and takes their EOI by itself */
    bool x2apic;             /* the same by MSR */
    bool posted_interrupts;  /* it fetches them while the guest runs */
    bool amd; /* its instruction for hypercalls, its tables of nested paging, its MSRs */
    /* So many ticks of the TSC are less than an interrupt of the machine's takes, from its coming
     * while the guest runs until one of the guest's that it has brought about is taken. */
    uint16_t irq_way;
};
extern struct virt_caps virt_caps;

/* How much of the CPU's APIC virtualization is to be used; AUTO: what it is known to do right. */
enum virt_apicv { VIRT_APICV_AUTO, VIRT_APICV_OFF, VIRT_APICV_TPR, VIRT_APICV_ON };

/*
 * Reads the capability MSRs of the boot CPU, logs a report in words, fills virt_caps; APIC
 * virtualization not beyond apicv.
 * Returns 0, or -ENODEV after logging one clear line that names what is missing and needed
 * (no virtualization, locked off in firmware, no second-level page table, ...). Boot only.
 */
int must_check virt_probe(enum virt_apicv apicv);

/* Switches virtualization on, on the calling pCPU. 0, -ENOMEM, or -ENODEV (logged) if this CPU is
 * lesser than the first.
 */
int must_check virt_cpu_enable(void);

/* And off, for shutdown and reboot. Harmless where it is off. */
void virt_cpu_disable(void);

/* ---- A vCPU's state ---- */

/* General registers, numbered as instructions encode them. */
enum gpr {
    GPR_RAX,
    GPR_RCX,
    GPR_RDX,
    GPR_RBX,
    GPR_RSP,
    GPR_RBP,
    GPR_RSI,
    GPR_RDI,
    GPR_R8,
    GPR_R9,
    GPR_R10,
    GPR_R11,
    GPR_R12,
    GPR_R13,
    GPR_R14,
    GPR_R15,
    GPR_COUNT
};

/* Segment registers, numbered as instructions encode them, then the two system segments. */
enum seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* ar: bits 8 to 15 and 20 to 23 of a descriptor's second word, and a bit of ours (SDM, "Segment
 * Descriptors"): type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15; 16: it cannot be used. */
struct segment {
    uint64_t base;
    uint32_t limit; /* in bytes */
    uint32_t ar;
    uint16_t selector;
};
#define SEG_AR_TYPE     0xFu
#define SEG_AR_S        (1u << 4)
#define SEG_AR_DPL      (3u << 5)
#define SEG_AR_P        (1u << 7)
#define SEG_AR_L        (1u << 13)
#define SEG_AR_DB       (1u << 14)
#define SEG_AR_G        (1u << 15)
#define SEG_AR_UNUSABLE (1u << 16)

/* An event to deliver through the guest's IDT. */
enum event_type {
    EVENT_EXTINT = 0,
    EVENT_NMI = 2,
    EVENT_EXCEPTION = 3,
    EVENT_SOFT_INT = 4,
    EVENT_PRIV_SOFT_EXC = 5,
    EVENT_SOFT_EXC = 6
};
struct event {
    bool valid;
    bool has_error;
    uint8_t vector;
    uint8_t insn_len; /* for the software kinds */
    enum event_type type;
    uint32_t error;
};

/* What begins a hardware task switch, numbered as VT-x does. */
enum task_by { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE /* of the IDT, by an event */ };
struct virt_task {
    enum task_by by;
    uint16_t selector;  /* of the new task's TSS */
    uint8_t length;     /* of the instruction that has begun it; 0: none has */
    struct event event; /* of TASK_GATE: what is delivered */
};

/* Model-specific registers that the guest owns while it runs and that are switched by software,
 * at virt_load/virt_unload only: Caisson itself never uses them. Those before SOFT_KEPT change by
 * WRMSR alone, which exits: so what is in them is known, and only what differs is written. */
enum virt_soft_msr {
    SOFT_STAR,
    SOFT_LSTAR,
    SOFT_CSTAR,
    SOFT_FMASK,
    SOFT_TSC_AUX,
    SOFT_KEPT,
    SOFT_KERNEL_GS_BASE = SOFT_KEPT, /* SWAPGS changes it */
    SOFT_MSR_COUNT
};

/* ---- Exits ---- */

enum virt_exit_kind {
    VIRT_EXIT_UNKNOWN,  /* .raw_reason */
    VIRT_EXIT_HOST,     /* an interrupt, NMI or #MC of the machine's: nothing to do for the guest */
    VIRT_EXIT_DEADLINE, /* the deadline has passed */
    VIRT_EXIT_IRQ_WINDOW, /* the guest can take an interrupt now; the window request is off again */
    VIRT_EXIT_NMI_WINDOW, /* the same for NMI */
    VIRT_EXIT_EXCEPTION, /* .exception: one that is intercepted; up to here virt_stay() has acted */
    VIRT_EXIT_CPUID,
    VIRT_EXIT_RDMSR, /* index in RCX */
    VIRT_EXIT_WRMSR,
    VIRT_EXIT_IO,             /* .io, virt_io_string() */
    VIRT_EXIT_CR,             /* .cr */
    VIRT_EXIT_DEBUG_REGISTER, /* the guest is about to change DR7, perhaps: virt_watch_dr7() */
    VIRT_EXIT_XSETBV,
    VIRT_EXIT_HLT,
    VIRT_EXIT_PAUSE,           /* the guest spins: it has said PAUSE over and over at CPL 0 */
    VIRT_EXIT_HYPERCALL,       /* VMCALL or VMMCALL by 64-bit code at CPL 0 */
    VIRT_EXIT_HYPERCALL_OTHER, /* by any other code, or by the other maker's instruction */
    VIRT_EXIT_WBINVD,          /* WBINVD or INVD */
    VIRT_EXIT_RDPMC,
    VIRT_EXIT_MONITOR,     /* MONITOR or MWAIT, which CPUID hides */
    VIRT_EXIT_VIRT_INSN,   /* VMXON, VMRUN, GETSEC, ...: the guest is owed #UD */
    VIRT_EXIT_MEMORY,      /* .memory: nothing is mapped there, or not for this access */
    VIRT_EXIT_TPR,         /* the TPR is below the class that was held back */
    VIRT_EXIT_APIC_WRITE,  /* .apic.offset: the guest has written this register in the page */
    VIRT_EXIT_EOI,         /* .apic.vector: it has ended this interrupt */
    VIRT_EXIT_TASK_SWITCH, /* .task: it is the software's to carry out */
    VIRT_EXIT_TRIPLE_FAULT,
    VIRT_EXIT_BUS_LOCK,   /* an instruction that has been carried out has locked the bus */
    VIRT_EXIT_BAD_MEMORY, /* .bad_memory: what the guest was about to use there is lost */
    VIRT_EXIT_INIT,
    VIRT_EXIT_ENTRY_FAILED, /* .why names the field and the rule */
    VIRT_EXIT_KINDS
};
extern const char *const virt_exit_name[VIRT_EXIT_KINDS];

/* What an IN, OUT, INS or OUTS wants: one word, since ports are what guests leave for most. */
struct virt_io {
    uint32_t size : 3; /* bytes: 1, 2, 4 */
    uint32_t in : 1;
    uint32_t string : 1;
    uint32_t rep : 1; /* of the string forms */
    uint32_t : 10;
    uint32_t port : 16;
};

/* And of the string forms: where their operand in memory is. */
struct virt_io_string {
    uint8_t addr_size; /* 2, 4, 8 */
    enum seg seg;      /* ES, or the segment of the source of OUTS */
};

struct virt_exit {
    enum virt_exit_kind kind;
    uint32_t raw_reason; /* of kinds that have no other meaning */
    uint64_t left;       /* TSC when it had left the guest */
    union {
        struct {
            uint8_t number; /* 0, 3, 4, 8 */
            enum { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW } op;
            enum gpr gpr;
            uint16_t lmsw; /* the source operand */
        } cr;
        struct {
            gpa_t gpa;
            gva_t gva;
            bool gva_valid;
            bool read, write, fetch; /* the access that was made */
            bool page_walk;          /* made by the guest's page walk, not by the instruction */
            bool delivery;           /* made while an event was delivered: by no instruction */
            bool present;            /* something is mapped there, with lesser rights */
        } memory;
        struct {
            uint16_t offset;
            uint8_t vector;
        } apic;
        struct virt_io io;
        struct event exception;
        struct virt_task task;
        maddr_t bad_memory;
        const char *why;
    };
};

/* ---- A vCPU ---- */

#define VIRT_NOWHERE UINT32_MAX

/* Members above the line may be used by anyone; those below belong to the back ends. */
struct virt_vcpu {
    uint64_t gpr[GPR_COUNT]; /* all but RSP, see virt_rsp() */
    bool straight;           /* vmx/'s: VMRESUME, with nothing to be done before */
    bool launched;           /* vmx/'s: VMLAUNCH has succeeded on this VMCS since its VMCLEAR */
    uint32_t spec_ctrl;      /* the guest's IA32_SPEC_CTRL, while it is not the pCPU's */
    bool delivers;           /* see virt_set_interrupts() */
    unsigned held_class;     /* see virt_set_held_class() */
    uint64_t due;            /* TSC at which its devices want it out of the guest; */
    uint64_t deadline;       /* and the scheduler */
    struct virt_exit exit;   /* the last one */
    uint64_t exits[VIRT_EXIT_KINDS];      /* counted by kind */
    uint64_t exit_ticks[VIRT_EXIT_KINDS]; /* machine TSC spent on them above this library */
    /* ------------------------------------------------------------------------------------- */
    uint64_t cr2, dr[4], dr6, xcr0;    /* the guest's, while not loaded; xcr0 always */
    uint64_t soft_msr[SOFT_MSR_COUNT]; /* those before SOFT_KEPT also while loaded */
    bool switches_calls;               /* software switches those of SYSCALL and SWAPGS, too */
    bool has_tsc_aux;
    struct event pending; /* to be injected at the next entry */
    uint8_t nmis_waiting; /* virt_queue_nmi: to be injected once NMIs are not blocked; atomic */
    bool loaded;          /* between virt_load and virt_unload */
    uint16_t owner_id;    /* frame owner that pays for all this */
    unsigned pcpu;        /* where it is or was last loaded; VIRT_NOWHERE at first */
    uint64_t cr4_mask;    /* CR4 bits the guest may set */
    uint64_t xcr0_mask;   /* what virt_set_xcr0 grants, and what the FPU area holds */
    void *io_bitmap;      /* two heap pages, shared by the domain; owned by the creator */
    void *fpu;            /* XSAVE area, heap */
    unsigned fpu_order;   /* of its pages */
    bool has_xsave;       /* this CPU; else it is FXSAVE's area */
    struct slat *slat;
    uint64_t backend[32]; /* vmx/vcpu.h's or svm/vcpu.h's */
};

/* What a vCPU is created from. */
struct virt_vcpu_config {
    struct slat *slat;
    void *io_bitmap;    /* 8 KiB: bit set = that port exits (SDM, "I/O-Bitmap Addresses") */
    uint16_t owner_id;  /* charged for its frames, see mm/frame.h */
    uint64_t xcr0_mask; /* the XSAVE features that the domain's CPUID shows */
    uint64_t cr4_mask;  /* the CR4 bits that the domain's CPUID allows it to set */
    maddr_t apic_page; /* the local APIC's registers; behind them its posted-interrupt descriptor */
    maddr_t posted;
    maddr_t
        apic_access; /* the page that the guest has at apic_base, or 0: none has been set aside */
    gpa_t apic_base;
    unsigned apic_ids; /* those of the domain's local APICs are below this */
};

/* Builds control block, bitmaps and FPU area; state as after RESET (SDM, "Processor State After
 * Reset"). 0 or -ENOMEM, then nothing is kept. */
int must_check virt_vcpu_create(struct virt_vcpu *v, const struct virt_vcpu_config *config);
void virt_vcpu_destroy(struct virt_vcpu *v);

/* Back to the state after RESET, as INIT makes it (FPU and SYSCALL MSRs keep theirs). Loaded. */
void virt_reset(struct virt_vcpu *v);

/* Makes v this pCPU's and loads FPU, debug registers and soft MSRs. */
void virt_load(struct virt_vcpu *v);
/* Saves the same, so that another pCPU may load it. */
void virt_unload(struct virt_vcpu *v);

uint64_t virt_rsp(const struct virt_vcpu *v);
void virt_set_rsp(struct virt_vcpu *v, uint64_t rsp);
uint64_t virt_rip(const struct virt_vcpu *v);
void virt_set_rip(struct virt_vcpu *v, uint64_t rip);
uint64_t virt_rflags(const struct virt_vcpu *v);
void virt_set_rflags(struct virt_vcpu *v, uint64_t rflags);
void virt_segment(const struct virt_vcpu *v, enum seg s, struct segment *out);
void virt_set_segment(struct virt_vcpu *v, enum seg s, const struct segment *in);
void virt_gdt(const struct virt_vcpu *v, struct segment *out); /* base and limit */
void virt_set_gdt(struct virt_vcpu *v, uint64_t base, uint16_t limit);
unsigned virt_cpl(const struct virt_vcpu *v); /* 0..3 */

/* General registers by number. Every exit uses some, mostly by a constant number: in line, that is
 * one load or store. */
static inline uint64_t virt_gpr(const struct virt_vcpu *v, enum gpr n)
{
    ASSERT(n < GPR_COUNT);
    return n == GPR_RSP ? virt_rsp(v) : v->gpr[n];
}

static inline void virt_set_gpr(struct virt_vcpu *v, enum gpr n, uint64_t value)
{
    ASSERT(n < GPR_COUNT);
    if (n == GPR_RSP)
        virt_set_rsp(v, value);
    else
        v->gpr[n] = value;
}

/* RAX takes so many bytes, 1, 2 or 4, as AL, AX or EAX (SDM volume 1, "General-Purpose Registers in
 * 64-Bit Mode"). */
static inline void virt_set_accumulator(struct virt_vcpu *v, uint32_t value, unsigned size)
{
    uint64_t *rax = &v->gpr[GPR_RAX];

    if (likely(size == 1))
        *(uint8_t *)rax = (uint8_t)value;
    else if (size == 2)
        *(uint16_t *)rax = (uint16_t)value;
    else
        *rax = value;
}

/* Control registers as the guest sees them. The setters check as the instruction would and return
 * 0, or -EINVAL where the guest is owed #GP(0); they change nothing then. */
uint64_t virt_cr0(const struct virt_vcpu *v);
uint64_t virt_cr3(const struct virt_vcpu *v);
uint64_t virt_cr4(const struct virt_vcpu *v);
uint64_t virt_efer(const struct virt_vcpu *v);
bool virt_in_64bit_code(const struct virt_vcpu *v); /* CS.L in IA-32e mode */
int must_check virt_set_cr0(struct virt_vcpu *v, uint64_t value);
int must_check virt_set_cr3(struct virt_vcpu *v, uint64_t value);
int must_check virt_set_cr4(struct virt_vcpu *v, uint64_t value);
int must_check virt_set_efer(struct virt_vcpu *v, uint64_t value);
int must_check virt_set_xcr0(struct virt_vcpu *v, uint64_t value);

/* All registers on which it hangs what a linear address of code means and how the bytes there are
 * to be read, as they are in hardware: of use to be compared. */
struct virt_mode {
    uint64_t cr0, cr3, cr4, efer;
    uint32_t cs_ar, ss_ar;
};
void virt_mode(const struct virt_vcpu *v, struct virt_mode *m);
uint64_t virt_mode_and_rip(const struct virt_vcpu *v, struct virt_mode *m); /* gives back RIP */

static inline bool virt_mode_same(const struct virt_mode *a, const struct virt_mode *b)
{
    return !((a->cr0 ^ b->cr0) | (a->cr3 ^ b->cr3) | (a->cr4 ^ b->cr4) | (a->efer ^ b->efer) |
             (a->cs_ar ^ b->cs_ar) | (a->ss_ar ^ b->ss_ar));
}

/* MSRs that the back end keeps (SYSENTER_*, FS/GS/KERNEL_GS base, PAT, STAR, ...):
 * true if msr is one of them. A write answers 0; -EINVAL for a value that hardware would refuse;
 * -ENOENT if it is none of them. */
bool virt_msr_read(const struct virt_vcpu *v, uint32_t msr, uint64_t *value);
int must_check virt_msr_write(struct virt_vcpu *v, uint32_t msr, uint64_t value);

/* Added to the machine's TSC to give the guest's. */
void virt_set_tsc_offset(struct virt_vcpu *v, uint64_t offset);

/* ---- APIC virtualization; see vmx/apic.c and svm/apic.c ---- */

/* The guest's local APIC: disabled, reached by its page, by MSRs, or by its page at another place
 * than apic_base. Off after creation. */
enum virt_apic_mode { VIRT_APIC_OFF, VIRT_APIC_PAGE, VIRT_APIC_MSRS, VIRT_APIC_MOVED };
void virt_set_apic_mode(struct virt_vcpu *v, enum virt_apic_mode mode);
/* While v->delivers, the processor takes the local APIC's interrupts from the page given at
 * creation, and their EOI, by itself. It is to be told the highest vectors requested and served (0:
 * none) after each change there that was not the guest's; and the vectors whose EOI is to exit. */
void virt_set_interrupts(struct virt_vcpu *v, uint8_t requested, uint8_t served);
/* The same for one that is requested besides. */
void virt_request_interrupt(struct virt_vcpu *v, uint8_t vector);
/* Is one requested above what is served and what the TPR keeps back? */
bool virt_interrupt_due(const struct virt_vcpu *v, uint8_t tpr);
void virt_set_eoi_exits(struct virt_vcpu *v, const uint64_t vectors[4]);
/* Where it does not deliver, but has a TPR shadow: an exit is wanted once the TPR is below this
 * class, which it now is not. 0: never. */
void virt_set_held_class(struct virt_vcpu *v, unsigned class);

/* ---- Entering, leaving ---- */

/* What became of an exit: EXIT_NEXT, or some of the others. */
enum exit_answer {
    EXIT_NEXT = 0,      /* it has been acted on, and the guest goes on with its next instruction; */
    EXIT_HERE = 1,      /* or where it stands: with the same one, or with a fault that is pending */
    EXIT_DUE = 2,       /* besides, v->due is another one, still to come */
    EXIT_LOOK = 4,      /* besides, the caller is to look again at what is due and wants in */
    EXIT_UNHANDLED = 8, /* nothing has been done: `handle` is to */
};

/* What is to be done about one kind of exit. */
struct virt_action {
    /* During the stay. Where that is not enough: EXIT_UNHANDLED. */
    enum exit_answer (*quick)(struct virt_vcpu *v, const struct virt_exit *x);
    /* After it; for the caller of virt_stay() to call. */
    void (*handle)(struct virt_vcpu *v, const struct virt_exit *x);
};

/*
 * Enters the guest and stays there until an exit wants more than its quick action, or v->due or
 * v->deadline comes; counts what was done meanwhile. now: the machine's TSC, just read. True:
 * nothing has been done about v->exit. False: it has, but the caller is to look around.
 * An event whose delivery was cut short by the exit is kept and delivered again at the next entry.
 */
bool virt_stay(struct virt_vcpu *v, uint64_t now,
               const struct virt_action actions[VIRT_EXIT_KINDS]);
/* Puts the last exit, which has been dealt with by now, down to its account. */
static inline void virt_count_exit(struct virt_vcpu *v, uint64_t now)
{
    enum virt_exit_kind kind = v->exit.kind;

    v->exits[kind]++;
    v->exit_ticks[kind] += now - v->exit.left;
}
/* How many exits there have been. */
uint64_t virt_exit_count(const struct virt_vcpu *v);
/* Those of several vCPUs by kind, added up; and a table of them in the debug log, of domain
 * `whose`. */
struct virt_exits {
    uint64_t count[VIRT_EXIT_KINDS], ticks[VIRT_EXIT_KINDS];
};
void virt_count_exits(const struct virt_vcpu *v, struct virt_exits *sum);
void virt_log_exits(const struct virt_exits *sum, const char *whose);
/* Interrupts of the machine's have been let in: a guest with IF=0 may keep them out for a while. */
void virt_irqs_served(struct virt_vcpu *v);

/* Steps over the instruction that caused the last exit, where hardware tells its length; or over
 * one of so many bytes. Ends STI and MOV-SS shadows. */
void virt_skip(struct virt_vcpu *v);
void virt_skip_len(struct virt_vcpu *v, uint64_t len);
/* Of a VIRT_EXIT_IO by a string form, as long as it is the last exit. */
struct virt_io_string virt_io_string(const struct virt_vcpu *v, struct virt_io io);

/*
 * The bytes at RIP of the loaded vCPU, at most 15: how many could be read. A back end asks for them
 * where its processor does not tell what instruction has made an exit. Who knows a guest's memory
 * lies above this library, and sets the function at boot; it is called within virt_stay().
 */
typedef unsigned virt_fetch_fn(struct virt_vcpu *v, uint8_t bytes[15]);
void virt_set_fetch(virt_fetch_fn *fn);
unsigned virt_fetch(struct virt_vcpu *v, uint8_t bytes[15]);
/* The same of n bytes of its memory, by guest-physical address: 0, or an error where not all of it
 * is memory. */
typedef int virt_read_fn(struct virt_vcpu *v, gpa_t from, void *to, size_t n);
void virt_set_read(virt_read_fn *fn);
int must_check virt_read(struct virt_vcpu *v, gpa_t from, void *to, size_t n);

/* ---- Debug registers ---- */

/* DR0 to DR3, and DR7. */
struct virt_breakpoints {
    uint64_t at[4];
    uint64_t dr7;
};
void virt_breakpoints(const struct virt_vcpu *v, struct virt_breakpoints *out);
uint64_t virt_dr7(const struct virt_vcpu *v);
/* Shall an instruction that may change DR7 make a VIRT_EXIT_DEBUG_REGISTER first? At first it does,
 * and so again if this says so. */
void virt_watch_dr7(struct virt_vcpu *v, bool watch);
/* An instruction that has been carried out for the guest, and stepped over, has met breakpoints, or
 * led to a task that is to be trapped; DR6 has these bits: #DB at the next entry, together with a
 * single step that is due. */
void virt_debug_trap(struct virt_vcpu *v, uint32_t met);

/* ---- Events ---- */

/* Queues an event for the next entry. An exception over a pending one makes #DF or a triple
 * fault as in the SDM's table "Conditions for Generating a Double Fault"; then returns false if it
 * is a triple fault. An EXTINT wants virt_irq_open() to be true. */
bool must_check virt_inject(struct virt_vcpu *v, const struct event *e);
/* An exception, with that error code, or 0, if it has one; and #PF. Same answer. */
bool must_check virt_inject_with(struct virt_vcpu *v, uint8_t vector, uint32_t error);
bool must_check virt_inject_exception(struct virt_vcpu *v, uint8_t vector);
bool must_check virt_inject_pf(struct virt_vcpu *v, gva_t address, uint32_t error); /* sets CR2 */

/* The event that was cut short by the last exit has been delivered by other means. */
void virt_event_taken(struct virt_vcpu *v);
/* The guest is in its new task: what a switch does to registers that nobody above sees (local
 * breakpoints, shadows, a step that was due, NMI blocking). An event that was cut short stays. */
void virt_task_switched(struct virt_vcpu *v, const struct virt_task *t);

/* Will the next entry deliver something: an event that is queued, or a single step that is due? */
bool virt_event_pending(const struct virt_vcpu *v);
/* True if an external interrupt could be delivered at the next entry: IF=1, no shadow, nothing
 * pending. */
bool virt_irq_open(const struct virt_vcpu *v);
/* Ask for an exit as soon as virt_irq_open() turns true. Cheap when nothing changes. */
void virt_want_irq_window(struct virt_vcpu *v, bool want);
/* Delivers an NMI as soon as the guest's NMI blocking allows it. v need not be loaded here. */
void virt_queue_nmi(struct virt_vcpu *v);
bool virt_nmi_waiting(const struct virt_vcpu *v);

/* Forget the translations of this table that are cached on this pCPU. */
void virt_flush_slat(const struct slat *s);

/* The state that people want to see, in words of the log: a part of its registers or of its control
 * block, from part 0 on. True: there is another part. */
bool virt_dump_regs(const struct virt_vcpu *v, unsigned part);
bool virt_dump_control(const struct virt_vcpu *v, unsigned part);

#endif
