/*
 * A line as GRUB hands it over, turned back into what stands in its menu.
 *
 * GRUB's loaders write a line anew from its words, so that words can be told apart: they put a
 * backslash before each backslash and quote, and a word with blanks between double quotes
 * (grub_create_loader_cmdline() of GRUB 2). A Linux that GRUB itself loads gets to see the
 * backslashes; ours does not.
 */
#ifndef CAISSON_BOOT_GRUB_LINE_H
#define CAISSON_BOOT_GRUB_LINE_H

/* In place: the line only gets shorter. Takes the backslashes off. Double quotes around a word with
 * blanks stay, since Linux understands them so, unless the word has double quotes of its own. */
void grub_line_undo(char *line);

#endif
