/*
 * The attacks of guest/attacker: each takes one step and returns, and is called for ever.
 */
#ifndef GUEST_ATTACKER_ATTACK_H
#define GUEST_ATTACKER_ATTACK_H

#include <stdint.h>

/* RAM that nothing stands in (mem=32M). */
#define SPARE       0x800000ul
#define SPARE_END   0x1800000ul
#define PAGE        4096ul
#define BIG_PAGE    0x200000ul
#define LIST_FRAMES 512

extern uint16_t attack_own, attack_victim; /* domain ids */

/* calls.c: hypercalls that concern a domain which permits nothing, or something */
void attack_bind(void);
void attack_send_begin(void);
void attack_send(void);
void attack_grant_begin(void);
void attack_grant(void);
/* calls.c: whatever is long, of its own */
void attack_calls_begin(void);
void attack_calls(void);
void attack_console(void);
void attack_reboot(void);
/* memory.c */
void attack_balloon(void);
void attack_split(void);
void attack_touch(void);
/* devices.c */
void attack_rtc_begin(void);
void attack_rtc(void);
void attack_ports(void);
void attack_serial(void);
void attack_timers_begin(void);
void attack_timers(void);
void attack_sleepers_begin(void);
void attack_sleepers(void);
void attack_ipis_begin(void);
void attack_ipis(void);
void attack_startups(void);
void attack_exits(void);
void attack_pause(void);

#endif
