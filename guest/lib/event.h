/*
 * Event channels: ports to other domains, and waiting for one of them.
 *
 * All ports stay masked: a guest of this library waits for an event where it wants one
 * (event_wait) and takes no interrupts for them.
 */
#ifndef GUEST_EVENT_H
#define GUEST_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include "include/public/xen.h"

/* Guest-physical addresses that this library gives to what is not RAM; below 4 GiB, so mapped. */
#define GUEST_SHARED_PAGE 0xE0000000ul
#define GUEST_GRANT_TABLE 0xE0010000ul
#define GUEST_GRANT_MAPS  0xE0100000ul

/* Maps the shared page. False: this hypervisor has none. */
bool event_init(void);
struct xen_shared_info *event_shared_page(void);
/* A port that the domain `peer` may connect to; negative: an errno. */
int64_t event_alloc(uint16_t peer);
/* Connects to a port of peer's; own port, or a negative errno. */
int64_t event_connect(uint16_t peer, uint32_t port);
int64_t event_send(uint32_t port);
int64_t event_close(uint32_t port);
/* Has there been an event since the last one that was taken? It is taken then. */
bool event_take(uint32_t port);
/* Until there has been. */
void event_wait(uint32_t port);

#endif
