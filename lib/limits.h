/*
 * All limits of Caisson in one place. Raising one costs memory, never a change elsewhere.
 */
#ifndef CAISSON_LIB_LIMITS_H
#define CAISSON_LIB_LIMITS_H

#define MAX_PCPUS       64   /* CPUs of the machine that are brought up; the rest stay off */
#define MAX_DOMAINS     128  /* domains alive at once */
#define MAX_VCPUS       64   /* vCPUs of one domain */
#define MAX_MODULES     32   /* modules taken from the boot loader */
#define MAX_MEM_REGIONS 128  /* entries of the machine's memory map */
#define MAX_CMDLINE     2560 /* bytes of one line, NUL included: 2,048 for a kernel, 512 for us */
#define MAX_NAME        32   /* bytes of a domain's name, the final NUL included */
#define LOG_RING_BYTES  65536

#endif
