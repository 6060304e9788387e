/*
 * Machine checks. See arch/x86/mce.h.
 *
 * A machine check may have come in the middle of the log, so nothing is said in the handler: it
 * keeps what it saw and sends itself an interrupt, whose handler says it. Where the processor's
 * state is lost, or data that Caisson itself was about to use, it ends in panic(). Data that a
 * guest was about to use are that guest's end, and nobody else's.
 *
 * Source: SDM volume 3, "Machine-Check Architecture", above all "UCR Error Classification".
 */
#include "arch/x86/mce.h"

#include <stdbool.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/log.h"

#define MCG_CAP_COUNT(cap) ((unsigned)(cap)&0xFF)
#define MCG_CAP_CTL        (1UL << 8)
#define MCG_CAP_CMCI       (1UL << 10) /* banks count corrected errors */
#define MCG_CAP_SER        (1UL << 24) /* it tells recoverable errors from others */
#define MCG_STATUS_RIPV    (1UL << 0)
#define MCG_STATUS_EIPV    (1UL << 1) /* it is of the code that was interrupted */

#define STATUS_VALID         (1UL << 63)
#define STATUS_UNCORRECTED   (1UL << 61)
#define STATUS_ADDR_VALID    (1UL << 58)
#define STATUS_STATE_CORRUPT (1UL << 57)
#define STATUS_SIGNALLED     (1UL << 56) /* by an exception; only with MCG_CAP_SER */
#define STATUS_ACTION        (1UL << 55) /* software has to act before it goes on */
#define STATUS_TIMES(status) ((unsigned)((status) >> 38) & 0x7FFF)

#define BANK(n, reg) (MSR_IA32_MC0_CTL + 4 * (n) + (reg))
enum { BANK_CTL, BANK_STATUS, BANK_ADDR, BANK_MISC };
#define MOST_BANKS 32
#define KEPT       4
#define NOWHERE    UINT64_MAX

struct record {
    unsigned bank;
    uint64_t status, address;
};

/* Each written and read by its own pCPU: by the handler, and with interrupts let in. */
static struct pending {
    unsigned count, lost;
    struct record kept[KEPT];
} pending[MAX_PCPUS];
static int vector; /* for telling; 0: none yet. Boot only */

static bool has_banks(void)
{
    uint32_t edx = cpuid(1, 0).edx;

    return (edx & CPUID_1D_MCE) && (edx & CPUID_1D_MCA);
}

static unsigned bank_count(void)
{
    unsigned n = MCG_CAP_COUNT(rdmsr(MSR_IA32_MCG_CAP));

    return n < MOST_BANKS ? n : MOST_BANKS;
}

/* All pCPUs are told, and some share the bank: EIPV is set on the one that has consumed it (SDM,
 * "MCA Recovery Action Required Error", its table of flags). */
static enum mce_severity consumed(uint64_t status, uint64_t mcg_status)
{
    if (!(status & STATUS_SIGNALLED) || !(status & STATUS_ADDR_VALID))
        return MCE_FATAL;
    if (mcg_status & MCG_STATUS_EIPV)
        return MCE_CONSUMED;
    return mcg_status & MCG_STATUS_RIPV ? MCE_ELSEWHERE : MCE_FATAL;
}

enum mce_severity mce_severity_of(uint64_t status, uint64_t mcg_cap, uint64_t mcg_status)
{
    if (!(status & STATUS_VALID))
        return MCE_NOTHING;
    if (!(status & STATUS_UNCORRECTED))
        return MCE_CORRECTED;
    if ((status & STATUS_STATE_CORRUPT) || !(mcg_cap & MCG_CAP_SER))
        return MCE_FATAL;
    if (status & STATUS_ACTION)
        return consumed(status, mcg_status);
    return mcg_status & MCG_STATUS_RIPV ? MCE_SURVIVED : MCE_FATAL;
}

static struct record read_bank(unsigned bank)
{
    struct record r = { bank, rdmsr(BANK(bank, BANK_STATUS)), 0 };

    if ((r.status & STATUS_VALID) && (r.status & STATUS_ADDR_VALID))
        r.address = rdmsr(BANK(bank, BANK_ADDR));
    return r;
}

static void keep(const struct record *r)
{
    struct pending *p = &pending[cpu_id()];

    if (p->count < KEPT)
        p->kept[p->count++] = *r;
    else
        p->lost++;
}

static void say(const struct record *r, const char *when)
{
    log_error("machine check%s: pCPU %u, bank %u, status 0x%016lx (%s), address 0x%lx", when,
              cpu_id(), r->bank, r->status,
              r->status & STATUS_UNCORRECTED ? "not corrected" : "corrected", r->address);
}

/* The interrupt that the handler sent. */
static void tell(void)
{
    struct pending *p = &pending[cpu_id()];

    for (unsigned i = 0; i < p->count; i++)
        say(&p->kept[i], "");
    if (p->lost)
        log_error("machine check: pCPU %u, and %u more", cpu_id(), p->lost);
    p->count = p->lost = 0;
}

/* The machine address of what a guest has consumed, or NOWHERE. */
static uint64_t handle(bool from_guest)
{
    uint64_t cap = rdmsr(MSR_IA32_MCG_CAP), state = rdmsr(MSR_IA32_MCG_STATUS), bad = NOWHERE;

    for (unsigned i = 0; i < bank_count(); i++) {
        struct record r = read_bank(i);
        enum mce_severity severity = mce_severity_of(r.status, cap, state);

        if (severity == MCE_FATAL || (severity == MCE_CONSUMED && !from_guest))
            panic("machine check: bank %u, status 0x%016lx, address 0x%lx, state 0x%lx", r.bank,
                  r.status, r.address, state);
        if (severity == MCE_NOTHING || severity == MCE_ELSEWHERE)
            continue;
        if (severity == MCE_CONSUMED)
            bad = r.address;
        keep(&r);
        wrmsr(BANK(i, BANK_STATUS), 0);
    }
    if (bad == NOWHERE && !(state & MCG_STATUS_RIPV))
        panic("machine check without a bank that says why, state 0x%lx", state);
    wrmsr(MSR_IA32_MCG_STATUS, 0);
    if (vector > 0 && pending[cpu_id()].count)
        lapic_send_self((uint8_t)vector);
    return bad;
}

void mce_handle(void)
{
    handle(false);
}

bool mce_handle_guests(maddr_t *where)
{
    *where = maddr(handle(true));
    return where->v != NOWHERE;
}

/* "Uncorrected, no action" is left to software without an exception; else what is not corrected is
 * the handler's, which is on its way. */
static bool is_for_poll(uint64_t status, uint64_t cap)
{
    if (!(status & STATUS_VALID))
        return false;
    if (!(status & STATUS_UNCORRECTED))
        return true;
    return (cap & MCG_CAP_SER) && !(status & (STATUS_STATE_CORRUPT | STATUS_SIGNALLED));
}

static void poll_bank(unsigned bank, uint64_t cap)
{
    struct record r = read_bank(bank);

    if (!is_for_poll(r.status, cap))
        return;
    wrmsr(BANK(bank, BANK_STATUS), 0);
    say(&r, "");
    if ((cap & MCG_CAP_CMCI) && STATUS_TIMES(r.status) > 1)
        log_warn("machine check: that was the last of %u corrected ones", STATUS_TIMES(r.status));
}

void mce_poll(void)
{
    if (!has_banks())
        return;
    uint64_t cap = rdmsr(MSR_IA32_MCG_CAP);
    for (unsigned i = 0; i < bank_count(); i++)
        poll_bank(i, cap);
}

/* SDM, "IA32_MCi_CTL MSRs": of family 6 only since this model. */
static bool bank_0_is_firmwares(void)
{
    return cpu_model.intel && cpu_model.family == 6 && cpu_model.model < 0x1A;
}

void mce_init(void)
{
    if (!has_banks())
        return;
    if (cpu_id() == 0)
        vector = irq_alloc_vector(tell);
    if (rdmsr(MSR_IA32_MCG_CAP) & MCG_CAP_CTL)
        wrmsr(MSR_IA32_MCG_CTL, UINT64_MAX);
    for (unsigned i = 0; i < bank_count(); i++) {
        struct record r = read_bank(i);

        if (r.status & STATUS_VALID)
            say(&r, " before the boot");
        if (i > 0 || !bank_0_is_firmwares())
            wrmsr(BANK(i, BANK_CTL), UINT64_MAX);
        wrmsr(BANK(i, BANK_STATUS), 0);
    }
}
