/*
 * The report on the machine: what one pastes into a mail when something went wrong.
 */
#ifndef CAISSON_BOOT_REPORT_H
#define CAISSON_BOOT_REPORT_H

#include "boot/boot_info.h"

/* Into the log, each line with "report: " in front; no secrets, no serial numbers. smt: all
 * threads of a core run guests. */
void report(const struct boot_info *boot, bool smt);

#endif
