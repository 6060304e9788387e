/*
 * hvm_op(cmd, pointer). Layouts as in xen/include/public/hvm/hvm_op.h.
 */
#ifndef CAISSON_PUBLIC_HVM_HVM_OP_H
#define CAISSON_PUBLIC_HVM_HVM_OP_H

#include <stdint.h>

#define HVMOP_SET_PARAM                0
#define HVMOP_GET_PARAM                1
#define HVMOP_FLUSH_TLBS               5
#define HVMOP_PAGETABLE_DYING          9
#define HVMOP_GET_TIME                 10
#define HVMOP_GET_MEM_TYPE             15
#define HVMOP_SET_EVTCHN_UPCALL_VECTOR 23
#define HVMOP_GUEST_REQUEST_VM_EVENT   24
#define HVMOP_ALTP2M                   25

struct xen_hvm_param {
    uint16_t domid;
    uint16_t pad;
    uint32_t index;
    uint64_t value; /* in or out */
};

struct xen_hvm_pagetable_dying {
    uint16_t domid;
    uint16_t pad[3];
    uint64_t gpa;
};

struct xen_hvm_get_time {
    uint64_t now; /* out: system time, ns */
};

struct xen_hvm_evtchn_upcall_vector {
    uint32_t vcpu;
    uint8_t vector;
    uint8_t pad[3];
};

_Static_assert(sizeof(struct xen_hvm_param) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_hvm_pagetable_dying) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_hvm_evtchn_upcall_vector) == 8, "as in Xen");

#endif
