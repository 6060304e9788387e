/*
 * Caisson's own command line: the words of the boot loader's multiboot2 line.
 *
 *     console=com1[,baud] console=com2[,baud] console=vga console=none
 *     loglevel=error|warn|info|debug   exit=monitor|halt|reboot|shutdown
 *     maxcpus=N (the others stay off)
 *     monitor=off                      fail-alloc=N (the N-th allocation fails: for tests)
 *     selftest (a report on the machine, and no guests)
 *     apicv=auto|off|tpr|on (how much of the CPU's APIC virtualization guests get; AVIC: on)
 *     spec=auto|off|NAMES (against speculation: docs/speculation.md)   smt=on|off
 *     sched-gran=cpu|core (core: the threads of a core run one domain at a time)
 *     iommu=on|off
 *     boot-cpu=auto|guests|own (whether guests run there too; auto: but in QEMU's TCG they do)
 *     conswitch=LETTER[x] (Ctrl-LETTER three times switches the keys; x: to the monitor first)
 */
#ifndef CAISSON_BOOT_OPTIONS_H
#define CAISSON_BOOT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/spec.h"
#include "lib/log.h"
#include "virt/virt.h"

enum option_boot_cpu { BOOT_CPU_AUTO, BOOT_CPU_GUESTS, BOOT_CPU_OWN };
enum option_exit { EXIT_MONITOR, EXIT_HALT, EXIT_REBOOT, EXIT_SHUTDOWN };

struct options {
    bool com1, com2, vga; /* consoles; vga is the screen, text or framebuffer */
    uint32_t baud;        /* of the serial consoles */
    enum log_level level;
    enum option_exit exit; /* when the last domain is gone */
    bool monitor, selftest;
    uint8_t switch_key; /* control character, 1 to 26 */
    bool monitor_first;
    enum virt_apicv apicv;
    struct spec_wish spec;
    unsigned smt;     /* not 0: all threads of a core run guests, not one */
    unsigned by_core; /* not 0: they run one domain at a time */
    unsigned iommu;   /* not 0: devices reach only what they are given */
    unsigned strict;  /* not 0: a tick of the TSC is an instruction (arch/x86/bound.h) */
    enum option_boot_cpu boot_cpu;
    uint64_t max_cpus;   /* 1 to MAX_PCPUS */
    uint64_t fail_alloc; /* for frame_fail_nth(); 0: none */
};

/* Fills *out with the defaults (com1 at 115200 and vga, info; at the
 * end of the last domain the monitor, where there is one, or halt), then with what the words say.
 * The first console= replaces the default consoles, later ones add to it. Unknown words and
 * bad values are warned about by name and change nothing. */
void options_parse(const char *cmdline, struct options *out);

#endif
