/*
 * A guest's output: on COM1, byte by byte, as on any PC, unless print_to() says where else.
 */
#ifndef GUEST_PRINT_H
#define GUEST_PRINT_H

/* printf's %s %c %d %u %x with 0, width, # and l; %%. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void print_char(char c);
/* Elsewhere from now on: see guest/lib/pvconsole.h. */
void print_to(void (*fn)(char c));

#endif
