/*
 * Feature bits that XENVER_GET_FEATURES answers. Numbers as in xen/include/public/features.h.
 */
#ifndef CAISSON_PUBLIC_FEATURES_H
#define CAISSON_PUBLIC_FEATURES_H

#define XENFEAT_WRITABLE_PAGE_TABLES    0
#define XENFEAT_AUTO_TRANSLATED_PHYSMAP 2
#define XENFEAT_SUPERVISOR_MODE_KERNEL  3
#define XENFEAT_HVM_CALLBACK_VECTOR     8
#define XENFEAT_HVM_SAFE_PVCLOCK        9
#define XENFEAT_HVM_PIRQS               10
#define XENFEAT_DOM0                    11
#define XENFEAT_MEMORY_OP_VNODE         13
#define XENFEAT_NOT_DIRECT_MAPPED       16
#define XENFEAT_RUNSTATE_PHYS_AREA      18
#define XENFEAT_TIME_PHYS_AREA          19

#endif
