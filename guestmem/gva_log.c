/*
 * For a post-mortem: where the addresses lead that a fault's delivery needs. See guestmem/gva.h.
 */
#include "guestmem/gva.h"
#include "lib/log.h"

static void trace_one(struct gva_space *s, struct gva_traced *t, const char *name, uint64_t at)
{
    const struct gva_walk *w = gva_walk(s, gva(at), GVA_IMPLICIT);

    *t = (struct gva_traced){ .name = name, .at = at, .mapped = w };
    if (!w) {
        t->error = s->fault.error;
        return;
    }
    t->page = w->page.v;
    t->entry = w->count ? w->read[w->count - 1].value : 0;
}

void gva_trace(struct gva_space *s, struct gva_trace *out)
{
    struct segment gdt, tr;

    virt_gdt(s->virt, &gdt);
    virt_segment(s->virt, SEG_TR, &tr);
    trace_one(s, &out->at[0], "RIP", virt_rip(s->virt));
    trace_one(s, &out->at[1], "RSP", virt_rsp(s->virt));
    trace_one(s, &out->at[2], "GDT", gdt.base);
    trace_one(s, &out->at[3], "TSS", tr.base);
}

void gva_log(const struct gva_trace *trace)
{
    for (const struct gva_traced *t = trace->at; t < trace->at + GVA_TRACED; t++)
        if (t->mapped)
            log_answer("  %s %016lx: in page 0x%lx, by an entry %016lx", t->name, t->at, t->page,
                       t->entry);
        else
            log_answer("  %s %016lx: not mapped, error 0x%x", t->name, t->at, t->error);
}
