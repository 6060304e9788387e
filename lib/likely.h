/*
 * Which way a condition mostly goes, for the few places on the path of every VM exit: the compiler
 * then keeps that path straight and what is rare out of the way.
 */
#ifndef CAISSON_LIB_LIKELY_H
#define CAISSON_LIB_LIKELY_H

#define likely(cond)   __builtin_expect(!!(cond), 1)
#define unlikely(cond) __builtin_expect(!!(cond), 0)

#endif
