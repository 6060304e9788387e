/*
 * For a post-mortem: where the addresses lead that a fault's delivery needs. See guestmem/gva.h.
 */
#include "guestmem/gva.h"
#include "lib/log.h"

static void log_one(struct gva_space *s, const char *name, uint64_t at)
{
    const struct gva_walk *w;

    if (gva_walk(s, gva(at), GVA_IMPLICIT, &w))
        log_answer("  %s %016lx: not mapped, error 0x%x", name, at, s->fault.error);
    else
        log_answer("  %s %016lx: in page 0x%lx, by an entry %016lx", name, at, w->page.v,
                   w->count ? w->read[w->count - 1].value : 0);
}

void gva_log(struct gva_space *s)
{
    struct segment gdt, tr;

    virt_gdt(s->virt, &gdt);
    virt_segment(s->virt, SEG_TR, &tr);
    log_one(s, "RIP", virt_rip(s->virt));
    log_one(s, "RSP", virt_rsp(s->virt));
    log_one(s, "GDT", gdt.base);
    log_one(s, "TSS", tr.base);
}
