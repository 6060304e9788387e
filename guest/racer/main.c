/*
 * A racer: while one vCPU has Caisson read the guest's memory, in every way that there is, the
 * other one changes that memory, byte by byte. Whatever Caisson reads twice, and trusts to be the
 * same, it finds (`flips=N` changes in all, `seed=N`; both on the command line, and mem=16M
 * vcpus=2 or more).
 *
 * It survives, if Caisson does what it is asked and nothing else; what it is asked changes all the
 * time. So there is no sum to compare; it tells how often it did what.
 */
#include "guest/lib/event.h"
#include "guest/lib/grant.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/pvconsole.h"
#include "guest/lib/start_info.h"
#include "guest/lib/trap.h"
#include "guest/lib/vcpus.h"
#include "guest/racer/racer.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/hvm/params.h"

#define STACK_BYTES 16384

struct raced raced;
static struct flipper flipper;
static uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));
static uint64_t tables[5][512] __attribute__((aligned(4096)));
static uint8_t pages[6][4096] __attribute__((aligned(4096)));

void main(const void *boot_information);

static struct xencons_interface *console(void)
{
    struct xen_hvm_param arg = { .domid = XEN_DOMID_SELF, .index = HVM_PARAM_CONSOLE_PFN };

    if (hypercall(XEN_HYPERCALL_HVM_OP, HVMOP_GET_PARAM, (uint64_t)&arg, 0))
        return 0;
    return (struct xencons_interface *)(arg.value << 12);
}

static void lay_out(void)
{
    uint64_t cr3;

    raced = (struct raced){
        .info = (void *)(pages[0] + 64),
        .shared = event_shared_page(),
        .console = console(),
        .grants = (void *)GUEST_GRANT_TABLE,
        .pdpt = tables[0],
        .code_pd = tables[1],
        .code_pt = tables[2],
        .data_pd = tables[3],
        .data_pt = tables[4],
        .code = { pages[1], pages[2] },
        .areas = pages[3],
        .fifo_words = (void *)pages[4],
        .fifo_control = { (void *)pages[5], (void *)(pages[5] + 2048) },
    };
    asm volatile("mov %%cr3, %0" : "=r"(cr3));
    ((volatile uint64_t *)(cr3 & ~0xffful))[RACED_CODE >> 39] = (uint64_t)raced.pdpt | 3;
}

static void tell(uint64_t seed)
{
    if (raced.console)
        raced.console->out_prod = raced.console->out_cons;
    print("\nracer: flips of");
    for (unsigned i = 0; i < FLIP_KINDS; i++)
        print(" %s %lu,", flip_name[i], flipper.of_kind[i]);
    print(" seed %lu\nracer: did", seed);
    for (unsigned i = 0; i < DEEDS; i++)
        print(" %s %lu,", deed_name[i], acted.deeds[i]);
    print(" with queues %lu of all\n", acted.with_queues);
    print("racer: over, %lu flips, %lu raced, %lu calls, %lu refused, %lu upcalls, "
          "%lu instructions, %lu faults\n",
          flipper.flips, flipper.raced, acted.calls, acted.refused, acted.upcalls,
          acted.instructions, acted.faults);
}

void main(const void *boot_information)
{
    uint64_t flips = start_number(boot_information, "flips", 100000);
    uint64_t seed = start_number(boot_information, "seed", 1), mine = seed ^ 0x9e3779b97f4a7c15ul;

    pvconsole_init();
    trap_init();
    print("racer: %lu flips, seed %lu\n", flips, seed);
    if (!event_init() || !grant_init()) {
        print("racer: no shared page or no grants\n");
        return;
    }
    lay_out();
    flip_prepare(&mine);
    flipper = (struct flipper){ .seed = seed, .flips = flips };
    if (!act_prepare() || vcpu_begin(1, flip, &flipper, stack + STACK_BYTES)) {
        print("racer: it takes two vCPUs\n");
        return;
    }
    while (!flipper.done)
        act(&mine);
    tell(seed);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
