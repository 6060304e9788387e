/*
 * All addresses of Caisson's own address space. Host tests have a twin in tests/fakes/mm.
 *
 *   0xffff8000_0000_0000  direct map of the heap: address + machine address
 *   0xffff9000_0000_0000  table of frames
 *   0xffffa000_0000_0000  device memory, firmware tables, boot modules: aspace_map()
 *   0xffffb000_0000_0000  stacks, each below a guard page: aspace_stack()
 *   0xffffc000_0000_0000  windows: mm/window.h
 *   0xffffffff_8000_0000  the image: text RX, rodata R, data RW+NX
 */
#ifndef CAISSON_MM_LAYOUT_H
#define CAISSON_MM_LAYOUT_H

#define DIRECT_BASE 0xffff800000000000UL
#define FRAMES_BASE 0xffff900000000000UL
#define MAP_BASE    0xffffa00000000000UL
#define STACKS_BASE 0xffffb00000000000UL
#define WINDOW_BASE 0xffffc00000000000UL
#define IMAGE_BASE  0xffffffff80000000UL
#define STACK_PAGES 4

#endif
