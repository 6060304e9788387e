/*
 * An index that a guest gives, for an array of pointers or one that is written to: behind its
 * bounds check the processor may have guessed that it passes, and would load from anywhere what it
 * then goes by, or have later loads see what it would store there (Spectre variants 1 and 1.1). So
 * such an index is cut by arithmetic, of which nothing is guessed. What is only copied out of the
 * array needs none of it. Source: Intel, "Analyzing Potential Bounds Check Bypass Vulnerabilities",
 * "Bounds Clipping".
 */
#ifndef CAISSON_LIB_NOSPEC_H
#define CAISSON_LIB_NOSPEC_H

#include <stdint.h>

/* index if it is below count; else 0, which is only ever the case where the check before it has
 * been guessed. The assembler hides from the compiler that it knows the answer. */
static inline uint64_t index_nospec(uint64_t index, uint64_t count)
{
    uint64_t below; /* all ones or none */

    asm("cmp %2, %1\n\tsbb %0, %0" : "=r"(below) : "r"(index), "r"(count) : "cc");
    return index & below;
}

#endif
