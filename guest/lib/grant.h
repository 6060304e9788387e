/*
 * Grants: pages that are lent to another domain, and pages of others mapped here.
 */
#ifndef GUEST_GRANT_H
#define GUEST_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#define GRANT_FIRST_REF 8   /* those below are for console and xenstore */
#define GRANT_REFS      512 /* one frame of the table */
#define GRANT_BATCH     16

/* Maps the first frame of the table. */
bool grant_init(void);
/* Lends a page to peer under this reference. */
void grant_page(uint32_t ref, uint16_t peer, const void *page);
/* Takes it back; false while peer still uses it. */
bool grant_end(uint32_t ref);
/* Maps peer's page at a guest-physical address where nothing is. Handle, or a negative status. */
int64_t grant_map(uint16_t peer, uint32_t ref, uint64_t at);
int64_t grant_unmap(uint64_t handle, uint64_t at);
/* The same for count pages, at most GRANT_BATCH, of one reference, in one call each, from a place
 * on. False: not all were. */
bool grant_map_some(uint16_t peer, uint32_t ref, uint64_t at, uint32_t *handles, unsigned count);
bool grant_unmap_some(const uint32_t *handles, uint64_t at, unsigned count);
/* Copies the beginning of peer's page without mapping it, to within one page. 0, or negative. */
int64_t grant_copy_from(uint16_t peer, uint32_t ref, void *to, uint16_t bytes);

#endif
