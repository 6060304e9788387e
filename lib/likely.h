/*
 * Which way a condition mostly goes, for the few places on the path of every VM exit, and which
 * functions are off it: the compiler then keeps that path straight and what is rare out of the way.
 */
#ifndef CAISSON_LIB_LIKELY_H
#define CAISSON_LIB_LIKELY_H

#define likely(cond)   __builtin_expect(!!(cond), 1)
#define unlikely(cond) __builtin_expect(!!(cond), 0)

/* Of a function in a file that is compiled for speed: nothing that is counted comes here, so it is
 * compiled for size (Makefile, HOT). */
#define cold __attribute__((__cold__))

#endif
