/*
 * Code that changes between two accesses to device memory: part of guest/torture.
 */
#ifndef GUEST_TORTURE_CODE_H
#define GUEST_TORTURE_CODE_H

/* Prints how many of its tries did what the code said that stood there at that moment. */
void changing_code(void);

#endif
