/*
 * caisson.cfg: the lines of a GRUB menu entry, in a file.
 *
 *     # a comment, to the end of the line
 *     multiboot2 /boot/caisson.elf console=com1 loglevel=info
 *     module2    /boot/vmlinuz     kernel  name=alpha mem=256M -- console=ttyS0
 *     module2    /boot/initrd.img  ramdisk name=alpha
 *
 * Words are separated by blanks; '...' and "..." keep blanks and # in a word, as in GRUB's shell.
 * A word that has blanks so, and no double quotes of its own, is handed on between double quotes,
 * which is what GRUB does and Linux understands.
 * Nothing else of that shell is there: no variables, no backslashes (a path may have them), no
 * other commands. The file's name behind multiboot2 is that of GRUB's line and may be left out: the
 * hypervisor is inside caisson.efi.
 *
 * Knows nothing of UEFI, so that host tests link it.
 */
#ifndef CAISSON_BOOT_EFI_CONFIG_H
#define CAISSON_BOOT_EFI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include "lib/errno.h"
#include "lib/limits.h"

#define MAX_PATH 256 /* bytes of a file's name, the final NUL included */

struct config {
    const char *at, *end; /* what is to be read yet */
    unsigned line;        /* that has been read; 1 for the first */
    char error[128];      /* what is wrong with it, after -EINVAL */
};

struct config_line {
    bool is_module;          /* module2, else multiboot2 */
    char file[MAX_PATH];     /* of a module */
    char words[MAX_CMDLINE]; /* the rest, with one blank between two words */
};

void config_open(struct config *c, const char *text, size_t size);

/* Reads the next line that has something on it. 1; 0 at the end; -EINVAL with c->error told. */
int must_check config_next(struct config *c, struct config_line *out);

#endif
