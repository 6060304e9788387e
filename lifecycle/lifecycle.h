/*
 * Which domains run, and what happens when one ends.
 *
 * The domains of the boot menu are started together; more are made from the same modules by
 * lifecycle_create(). One that reboots is made anew from its description; one that failed leaves
 * its last words; when the last is gone the machine does what exit= said, or only the monitor goes
 * on.
 *
 * The work is done by units of the scheduler on the boot CPU, so that domains are made and
 * destroyed while no vCPU is under way there: one for each domain, on its own account
 * (lifecycle/keeper.h).
 */
#ifndef CAISSON_LIFECYCLE_LIFECYCLE_H
#define CAISSON_LIFECYCLE_LIFECYCLE_H

#include "domain/domain.h"

struct keeper;

/* modules: the catalogue, kept by the caller for good; what is packed of its kernels is unpacked in
 * it. at_end: called when no domain is left. Creates and starts what the menu describes. Before
 * sched_loop(), on the boot CPU. */
void lifecycle_begin(struct module *modules, unsigned n, void (*at_end)(void));

/* For lifecycle/order.h. From any CPU: somebody has written something down for the boot CPU. */
void lifecycle_look(void);
/* Boot CPU: one that is all zero, NULL and logged if there is no memory; and its end, if it never
 * began. */
struct keeper *lifecycle_new_keeper(const char *whose);
void lifecycle_drop(struct keeper *k);

/* Hook of domain/domain.h. */
void lifecycle_ended(struct domain *d);
/* For keepers, from k's unit: the domain of k runs; d is about to be buried; the domain of k is
 * gone for good. */
void lifecycle_note_built(struct keeper *k);
void lifecycle_note_end(const struct domain *d);
void lifecycle_dismiss(struct keeper *k);

/*
 * Creates one more domain, which is then built and started in pieces. line: as behind `kernel` in
 * the boot menu, and besides kernel=REF [ramdisk=REF]; a REF is a module's number, the path that
 * its menu line repeats, or the name of a domain of the menu, meaning its kernel or ramdisk. From a
 * unit on the boot CPU. 0; -EINVAL, -ENOENT, or what domain_create() answers; logged, but -EAGAIN.
 */
int must_check lifecycle_create(const char *line, void (*settled)(void));
/* Neither does it run yet, nor has that failed. settled() is called when one is so. */
bool lifecycle_is_creating(void);

/* How a domain ended that did not do so by its own or the operator's wish. */
struct last_words {
    char name[MAX_NAME];
    uint16_t id;
    enum domain_end end;
    char why[160];
};
/* Calls fn for each that has not been read yet, oldest first; they count as read then. */
void lifecycle_last_words(void (*fn)(const struct last_words *words));

#endif
