/*
 * Where a vCPU goes on: by INIT and STARTUP, or in a state that somebody has put together; and the
 * state of one that stops, for whoever saves it.
 *
 * The control domain reads and changes what is written down here, under the domain's lock, while
 * the vCPU is on no pCPU (control/context.c).
 */
#include "exits/state.h"
#include "arch/x86/insn.h"
#include "domain/domain.h"
#include "domain/msr.h"
#include "domain/vcpu.h"
#include "exits/debug.h"

static int put_start(struct vcpu *v)
{
    int err = virt_start_put(&v->virt, &v->start);

    virt_set_segment(&v->virt, SEG_TR, &v->start.segment[SEG_TR]);
    return err;
}

/* There may be breakpoints: what looks after them finds out whether there are. */
static int put_whole(struct vcpu *v)
{
    v->whole = false;
    int err = virt_state_put(&v->virt, &v->start, &v->rest);
    debug_arm(v);
    return err || !v->deadline ? err : msr_write(v, MSR_IA32_TSC_DEADLINE, v->deadline);
}

/* What can be told from the values alone has been checked by the call that gave them
 * (VCPUOP_initialise, sethvmcontext). The rest (a page directory pointer that is no good, say) is
 * only seen here, where nobody waits for an answer: the domain ends then, as it would by a fault of
 * a vCPU that has no handlers yet. */
static cold void begin(struct vcpu *v)
{
    v->begins = false;
    virt_reset(&v->virt);
    if (v->whole ? put_whole(v) : put_start(v)) {
        domain_end(v->domain, END_CRASH, "vCPU %u cannot begin as it was told to", v->id);
        return;
    }
    v->halted = false;
    v->waits_for_startup = false;
}

cold void vcpu_direct(struct vcpu *v)
{
    if (v->init_pending)
        vcpu_take_init(v);
    if (v->waits_for_startup && v->startup_page >= 0)
        vcpu_take_startup(v);
    if (v->begins && !v->down)
        begin(v);
}

static void write_down(struct vcpu *v)
{
    vcpu_direct(v);
    if (!v->down && !v->waits_for_startup) {
        virt_state_get(&v->virt, &v->start, &v->rest);
        v->deadline = v->lapic.timer.deadline_tsc;
    }
    v->whole = true;
    v->domain->suspended_at = rdtsc();
}

cold void vcpu_stay_out(struct vcpu *v)
{
    if (v->domain->suspended && !v->whole)
        write_down(v);
    vcpu_leave(&v->unit);
}
