/*
 * What main() is given: the boot loader's information, of Multiboot or of PVH.
 */
#ifndef GUEST_START_INFO_H
#define GUEST_START_INFO_H

#include <stdint.h>

/* The command line; "" if there is none. */
const char *start_cmdline(const void *boot_information);
/* The number behind `key=` in it, or what it is if it is not there. */
uint64_t start_number(const void *boot_information, const char *key, uint64_t otherwise);

#endif
