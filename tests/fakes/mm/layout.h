/*
 * Host tests' twin of Caisson's address space: addresses that a host process can have. A test that
 * links mm/ itself maps one piece of memory both at its pretended machine address and in the
 * direct map.
 */
#ifndef CAISSON_MM_LAYOUT_H
#define CAISSON_MM_LAYOUT_H

#define DIRECT_BASE 0x200000000000UL
#define FRAMES_BASE 0x210000000000UL
#define MAP_BASE    0x220000000000UL
#define STACKS_BASE 0x230000000000UL
#define WINDOW_BASE 0x240000000000UL
#define IMAGE_BASE  0xffffffff80000000UL
#define STACK_PAGES 4

#endif
