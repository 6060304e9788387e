/*
 * Addresses and frame numbers, one C type for each kind.
 *
 * A machine address, a guest-physical address and a guest-virtual address are all 64-bit numbers,
 * and taking one for another is the classic hypervisor bug. One-member structs make the compiler
 * refuse the mix-up at no cost in the generated code.
 */
#ifndef CAISSON_LIB_ADDR_H
#define CAISSON_LIB_ADDR_H

#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define ORDER_4K   0  /* 2^0 frames */
#define ORDER_2M   9  /* 2^9 frames */
#define ORDER_1G   18 /* 2^18 frames */

typedef struct {
    uint64_t v; /* byte address on the machine's physical bus */
} maddr_t;
typedef struct {
    uint64_t v; /* machine frame number: maddr >> 12 */
} mfn_t;
typedef struct {
    uint64_t v; /* guest-physical byte address */
} gpa_t;
typedef struct {
    uint64_t v; /* guest frame number: gpa >> 12 */
} gfn_t;
typedef struct {
    uint64_t v; /* guest-virtual (linear) byte address */
} gva_t;

static inline maddr_t maddr(uint64_t v)
{
    return (maddr_t){ v };
}

static inline mfn_t mfn(uint64_t v)
{
    return (mfn_t){ v };
}

static inline gpa_t gpa(uint64_t v)
{
    return (gpa_t){ v };
}

static inline gfn_t gfn(uint64_t v)
{
    return (gfn_t){ v };
}

static inline gva_t gva(uint64_t v)
{
    return (gva_t){ v };
}

static inline maddr_t mfn_to_maddr(mfn_t m)
{
    return maddr(m.v << PAGE_SHIFT);
}

static inline mfn_t maddr_to_mfn(maddr_t m)
{
    return mfn(m.v >> PAGE_SHIFT);
}

static inline gpa_t gfn_to_gpa(gfn_t g)
{
    return gpa(g.v << PAGE_SHIFT);
}

static inline gfn_t gpa_to_gfn(gpa_t g)
{
    return gfn(g.v >> PAGE_SHIFT);
}

#endif
