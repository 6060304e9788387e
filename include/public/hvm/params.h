/*
 * Parameters of a domain, for HVMOP_SET_PARAM and HVMOP_GET_PARAM. Numbers as in
 * xen/include/public/hvm/params.h.
 */
#ifndef CAISSON_PUBLIC_HVM_PARAMS_H
#define CAISSON_PUBLIC_HVM_PARAMS_H

#define HVM_PARAM_CALLBACK_IRQ     0
#define HVM_PARAM_STORE_PFN        1
#define HVM_PARAM_STORE_EVTCHN     2
#define HVM_PARAM_IOREQ_PFN        5
#define HVM_PARAM_BUFIOREQ_PFN     6
#define HVM_PARAM_TIMER_MODE       10
#define HVM_PARAM_DM_DOMAIN        13
#define HVM_PARAM_ACPI_S_STATE     14
#define HVM_PARAM_VPT_ALIGN        16
#define HVM_PARAM_CONSOLE_PFN      17
#define HVM_PARAM_CONSOLE_EVTCHN   18
#define HVM_PARAM_VM_GENERATION_ID 34
#define HVM_PARAMS                 39

/* CALLBACK_IRQ: how an upcall arrives, in the highest byte of the value. */
#define HVM_CALLBACK_TYPE_SHIFT    56
#define HVM_CALLBACK_TYPE_GSI      0
#define HVM_CALLBACK_TYPE_PCI_INTX 1
#define HVM_CALLBACK_TYPE_VECTOR   2 /* the vector in the lowest byte */

#endif
