/*
 * A domain's description, as the boot loader's menu gives it: one module2 line per file.
 *
 *     kernel name=alpha mem=256M vcpus=1 -- console=ttyS0
 *     ramdisk name=alpha
 *     module name=alpha -- words for this multiboot module
 *     firmware name=alpha
 *
 * The words before "--" are Caisson's, those behind it the guest's, untouched. A file name in front
 * (a word that begins with "/" or "(") is passed over: some boot loaders hand it on.
 */
#ifndef CAISSON_CONFIG_DOMAIN_CONFIG_H
#define CAISSON_CONFIG_DOMAIN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "config/share.h"
#include "loader/image.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/module.h"

#define CONFIG_DEFAULT_MEM    (128UL << 20)
#define CONFIG_DEFAULT_WEIGHT 256u
#define CONFIG_MOST_ROMS      2
#define CONFIG_MOST_PCI       28 /* slots of a PCI bus, less the board's */
#define CONFIG_MOST_CLASSES   4
#define CONFIG_ANY_CLASS      0x10000 /* pci=all; a class has 16 bits */

enum config_kind {
    CONFIG_NONE /* the role could not be read */,
    CONFIG_KERNEL,
    CONFIG_RAMDISK,
    CONFIG_MODULE,
    CONFIG_FIRMWARE
};
enum domain_type { DOMAIN_HVM, DOMAIN_PVH };
/* After a triple fault, or where the guest says that it has crashed. By default an hvm domain
 * starts anew after a triple fault, which resets a PC; and all else that crashes ends. */
enum on_crash { ON_CRASH_DEFAULT, ON_CRASH_DESTROY, ON_CRASH_RESTART };

/* A PCI device of the machine's by its address: bus, 5 bits of slot, 3 bits of function. */
struct config_pci {
    uint16_t segment, bdf;
};

/* One domain to be created: what a kernel's line says of it, and the files. Pointers lead into the
 * modules and their lines. */
struct domain_config {
    char name[MAX_NAME]; /* "": the line does not say */
    uint64_t mem;        /* bytes; fit for memmap_build() */
    unsigned vcpus;
    struct share share;
    enum domain_type type;
    enum on_crash on_crash;
    bool no_hpet;      /* an hvm domain's board is without one */
    bool populate_now; /* all frames arrive before it starts, not at the first touch */
    bool control;      /* the control domain: it may rule over the others */
    bool store;        /* there is one, which may have a xenstore: it is to find it */
    bool bare;         /* made by the control domain: no kernel, no memory, nothing of this is set
                        * but name, vcpus, share, type and uuid */
    const struct module *kernel;
    bool kernel_is_rom;                       /* known once create/firmware.h has looked */
    const char *cmdline;                      /* the guest's words; "" for none */
    struct image_module modules[MAX_MODULES]; /* the ramdisk, or the multiboot modules in order */
    unsigned module_count;
    struct image_module roms[CONFIG_MOST_ROMS]; /* firmware beside the kernel, in order */
    unsigned rom_count;
    struct config_pci pci[CONFIG_MOST_PCI]; /* devices that are to be its own, in order */
    unsigned pci_count;
    unsigned pci_class[CONFIG_MOST_CLASSES]; /* and all of these kinds; create/devices.h looks */
    unsigned pci_class_count;                /* for them once, and then pci[] has them */
    uint8_t uuid[16];                        /* of a bare one, as its maker calls it */
    bool msr_relaxed; /* MSRs that only the machine has read 0, and take all */
};

/* Parses one line: its role, and what it says of a domain, the files left out; what it does not say
 * has its default. module: number for the log; 0: it is a line of the command `create`. 0, or
 * -EINVAL after one log line for each word at fault; then *out still holds what could be read. */
int must_check config_parse(unsigned module, const char *line, enum config_kind *kind,
                            struct domain_config *out);

/* A line for each key, with what it may be; print is called for each. */
void config_print_keys(void (*print)(const char *fmt, ...));

/* Pairs kernels with their ramdisks, modules and firmware, by name; what has none goes to the
 * kernel before it, a kernel without one is dom<n> if it is the n-th kernel. At most MAX_MODULES
 * modules. Fills out[] (room for n) with the domains that can be started, in the order of the menu,
 * and returns how many; what is wrong with the others is logged. */
unsigned config_collect(const struct module *mods, unsigned n, struct domain_config *out);

#endif
