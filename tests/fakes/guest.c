/*
 * A domain with one vCPU for host tests. See tests/fakes/guest.h.
 */
#include "tests/fakes/guest.h"
#include "tests/fakes/heap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/mtrr.h"
#include "arch/x86/tsc.h"
#include "guestmem/gmem.h"
#include "arch/x86/wallclock.h"
#include "lib/assert.h"
#include "mm/frame.h"

struct domain guest;
struct domain_config guest_config;
struct vcpu guest_vcpu;
unsigned guest_kicks, guest_inits;
struct sched_unit *guest_running;
int guest_startup_page;
uint8_t guest_mtrr_type;
const struct domain_hooks *domain_hooks;
/* A page, so that it can be watched (tests/fakes/race.h). */
static union {
    struct xen_shared_info info;
    uint8_t page[PAGE_SIZE];
} shared __attribute__((aligned(PAGE_SIZE)));

#define FLAT_CODE (0xb | SEG_AR_S | SEG_AR_P | SEG_AR_G)
#define FLAT_DATA (0x3 | SEG_AR_S | SEG_AR_P | SEG_AR_G | SEG_AR_DB)

static void must(int err)
{
    if (err)
        abort();
}

void guest_init_vcpu(struct vcpu *v, unsigned id)
{
    *v = (struct vcpu){ .domain = &guest, .id = id };
    v->xen = (struct xen_vcpu){ .domain = &guest.xen, .unit = &v->unit, .id = id };
    guest.xen.vcpu[id] = &v->xen;
    guest.xen.vcpu_count = id + 1;
    v->space = (struct gva_space){ .virt = &v->virt, .p2m = &guest.p2m };
    v->emulator = (struct emulator){
        .virt = &v->virt, .space = &v->space, .machine = &guest.machine, .lapic = &v->lapic
    };
}

void guest_start(void)
{
    fake_virt_reset();
    memset(&guest, 0, sizeof(guest));
    guest_config = (struct domain_config){ 0 };
    guest.config = &guest_config;
    guest_kicks = guest_inits = 0;
    guest_running = NULL;
    guest_startup_page = -1;
    guest_mtrr_type = 6;
    tsc_hz = 1000000000;
    tsc_set_rate(tsc_hz);
    strcpy(guest.name, "guest");
    must(p2m_init(&guest.p2m, GUEST_ID));
    must(p2m_add_ram(&guest.p2m, gfn(0), 0xa0));
    must(p2m_add_ram(&guest.p2m, gfn(0x100), (GUEST_END >> PAGE_SHIFT) - 0x100));
    memset(&shared, 0, sizeof(shared));
    guest.xen = (struct xen_domain){
        .id = GUEST_ID, .lock = &guest.lock, .p2m = &guest.p2m, .tsc_zero = fake_tsc
    };
    guest.xen.shared = &shared.info;
    guest.vcpus[0] = &guest_vcpu;
    moment_init(&guest.machine.due);
    guest_init_vcpu(&guest_vcpu, 0);
    moment_init(&guest_vcpu.lapic_due);
    guest_vcpu.xen.tsc_offset = -guest.xen.tsc_zero;
    guest_mode(DECODE_32);
    fake_heap_shreds = true; /* what a guest can make Caisson ask for is there all the same */
}

void guest_stop(void)
{
    frame_fail_nth(0);
    while (!p2m_destroy(&guest.p2m))
        ;
    ASSERT(frame_count(GUEST_ID) == 0);
}

static void set_segments(const struct segment *code, const struct segment *data)
{
    for (enum seg s = SEG_ES; s <= SEG_GS; s++)
        virt_set_segment(&guest_vcpu.virt, s, s == SEG_CS ? code : data);
}

static void build_identity(void)
{
    guest_write64(0x1000, 0x2000 | 0x7);
    for (unsigned i = 0; i < 4; i++)
        guest_write64(0x2000 + 8 * i, (uint64_t)i << 30 | 0x87); /* present, write, user, large */
}

void guest_mode(enum decode_mode mode)
{
    struct segment code = { .limit = ~0u, .ar = FLAT_CODE | SEG_AR_DB };
    struct segment data = { .limit = ~0u, .ar = FLAT_DATA };

    cpu()->cr0 = CR0_PE;
    cpu()->cr4 = cpu()->efer = 0;
    if (mode == DECODE_16) {
        cpu()->cr0 = 0;
        code = data = (struct segment){ .limit = 0xffff, .ar = 0x3 | SEG_AR_S | SEG_AR_P };
    } else if (mode == DECODE_64) {
        code.ar = FLAT_CODE | SEG_AR_L;
        build_identity();
        cpu()->cr0 = CR0_PE | CR0_PG;
        cpu()->cr4 = CR4_PAE;
        cpu()->cr3 = 0x1000;
        cpu()->efer = EFER_LME | EFER_LMA;
    }
    set_segments(&code, &data);
}

void guest_cpl(unsigned cpl)
{
    cpu()->seg[SEG_SS].ar = (cpu()->seg[SEG_SS].ar & ~(3u << 5)) | cpl << 5;
}

void guest_put(uint64_t at, const void *from, size_t n)
{
    must(gmem_write(&guest.p2m, gpa(at), from, n));
}

void guest_get(uint64_t at, void *to, size_t n)
{
    must(gmem_read(&guest.p2m, gpa(at), to, n));
}

uint64_t guest_read64(uint64_t at)
{
    uint64_t value;

    guest_get(at, &value, sizeof(value));
    return value;
}

void guest_write64(uint64_t at, uint64_t value)
{
    guest_put(at, &value, sizeof(value));
}

/* ---- What domain.c and vcpu.c would do ---- */

uint8_t mtrr_type(maddr_t start, uint64_t size)
{
    (void)start;
    (void)size;
    return guest_mtrr_type;
}

void domain_set_hooks(const struct domain_hooks *hooks)
{
    domain_hooks = hooks;
}

void domain_end(struct domain *d, enum domain_end end, const char *why, ...)
{
    va_list args;

    if (d->end)
        return;
    va_start(args, why);
    vsnprintf(d->end_why, sizeof(d->end_why), why, args);
    va_end(args);
    d->end = end;
}

void vcpu_spins(struct vcpu *v)
{
    (void)v;
}

const struct vcpu *fake_gave_way;

void domain_suspend(struct domain *d)
{
    d->suspended = true;
}

void vcpu_give_way(struct vcpu *v)
{
    fake_gave_way = v;
}

void sched_kick(struct sched_unit *u)
{
    (void)u;
    guest_kicks++;
}

void sched_flag_or_kick(struct sched_unit *u)
{
    u->attention = true;
    if (guest_running != u)
        sched_kick(u);
}

struct sched_unit *sched_running(void)
{
    return guest_running;
}

void vcpu_init_signal(struct vcpu *v)
{
    (void)v;
    guest_inits++;
}

void vcpu_startup_signal(struct vcpu *v, uint8_t page)
{
    (void)v;
    guest_startup_page = page;
}

void guest_timer_moved(struct vlapic *l, uint64_t due)
{
    struct vcpu *v = container_of(l, struct vcpu, lapic);

    moment_set(&v->lapic_due, guest.xen.tsc_zero, due);
}

void vcpu_fault(struct vcpu *v, bool delivered)
{
    if (!delivered)
        domain_end(v->domain, END_TRIPLE_FAULT, "vCPU %u", v->id);
}

void vcpu_gp(struct vcpu *v)
{
    vcpu_fault(v, virt_inject_exception(&v->virt, VECTOR_GP));
}

void vcpu_ud(struct vcpu *v)
{
    vcpu_fault(v, virt_inject_exception(&v->virt, VECTOR_UD));
}

bool sched_is_alone(void)
{
    return false;
}

int64_t wallclock_now(void)
{
    return 1767225600; /* 2026-01-01 */
}
