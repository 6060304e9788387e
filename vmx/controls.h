/*
 * Bits of the VM-execution, VM-exit and VM-entry controls, of events and of interruptibility.
 * Sources: SDM, "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry Control Fields",
 * "Guest Non-Register State". Only bits that Caisson sets, wants clear, or checks have a name.
 */
#ifndef CAISSON_VMX_CONTROLS_H
#define CAISSON_VMX_CONTROLS_H

#define PIN_EXTINT_EXIT (1u << 0)
#define PIN_NMI_EXIT    (1u << 3)
#define PIN_VIRTUAL_NMI (1u << 5)
#define PIN_PREEMPTION  (1u << 6)
#define PIN_POSTED      (1u << 7)

#define PROC_IRQ_WINDOW   (1u << 2)
#define PROC_TSC_OFFSET   (1u << 3)
#define PROC_HLT_EXIT     (1u << 7)
#define PROC_MWAIT_EXIT   (1u << 10)
#define PROC_RDPMC_EXIT   (1u << 11)
#define PROC_CR8_LOAD     (1u << 19)
#define PROC_CR8_STORE    (1u << 20)
#define PROC_TPR_SHADOW   (1u << 21)
#define PROC_NMI_WINDOW   (1u << 22)
#define PROC_MOV_DR_EXIT  (1u << 23)
#define PROC_IO_BITMAPS   (1u << 25)
#define PROC_MSR_BITMAPS  (1u << 28)
#define PROC_MONITOR_EXIT (1u << 29)
#define PROC_SECONDARY    (1u << 31)

#define PROC2_APIC_ACCESS  (1u << 0)
#define PROC2_EPT          (1u << 1)
#define PROC2_RDTSCP       (1u << 3)
#define PROC2_X2APIC       (1u << 4)
#define PROC2_VPID         (1u << 5)
#define PROC2_WBINVD_EXIT  (1u << 6)
#define PROC2_UNRESTRICTED (1u << 7)
#define PROC2_APIC_REGS    (1u << 8)
#define PROC2_VINTR        (1u << 9)
#define PROC2_PAUSE_LOOP   (1u << 10)
#define PROC2_INVPCID      (1u << 12)
#define PROC2_XSAVES       (1u << 20)
#define PROC2_TSC_SCALING  (1u << 25)
#define PROC2_BUS_LOCK     (1u << 30)

/* Those that follow the mode of the guest's local APIC. */
#define PROC2_APIC_MODES (PROC2_APIC_ACCESS | PROC2_APIC_REGS | PROC2_VINTR | PROC2_X2APIC)

#define EXIT_SAVE_DEBUG      (1u << 2)
#define EXIT_HOST_64BIT      (1u << 9)
#define EXIT_ACK_IRQ         (1u << 15)
#define EXIT_SAVE_PAT        (1u << 18)
#define EXIT_LOAD_PAT        (1u << 19)
#define EXIT_SAVE_EFER       (1u << 20)
#define EXIT_LOAD_EFER       (1u << 21)
#define EXIT_SAVE_PREEMPTION (1u << 22)

#define ENTRY_LOAD_DEBUG (1u << 2)
#define ENTRY_IA32E      (1u << 9)
#define ENTRY_SMM        (1u << 10)
#define ENTRY_DUAL_SMM   (1u << 11)
#define ENTRY_LOAD_PAT   (1u << 14)
#define ENTRY_LOAD_EFER  (1u << 15)

/* Interruption information: entry, exit and IDT-vectoring alike. */
#define EVENT_VECTOR(info)   ((info)&0xFFu)
#define EVENT_TYPE(info)     ((info) >> 8 & 7u)
#define EVENT_HAS_ERROR      (1u << 11)
#define EVENT_NMI_UNBLOCKING (1u << 12) /* exit only: IRET had ended NMI blocking already */
#define EVENT_VALID          (1u << 31)

#define SHADOW_STI    (1u << 0)
#define SHADOW_MOV_SS (1u << 1)
#define BLOCKED_SMI   (1u << 2)
#define BLOCKED_NMI   (1u << 3)

#define PENDING_DEBUG_ENABLED_BP (1u << 12)
#define PENDING_DEBUG_BS         (1u << 14)

/* IA32_VMX_EPT_VPID_CAP (SDM, "VPID and EPT Capabilities") */
#define EPTCAP_WALK4          (1UL << 6)
#define EPTCAP_WB             (1UL << 14)
#define EPTCAP_2M             (1UL << 16)
#define EPTCAP_1G             (1UL << 17)
#define EPTCAP_INVEPT         (1UL << 20)
#define EPTCAP_AD             (1UL << 21)
#define EPTCAP_INVEPT_SINGLE  (1UL << 25)
#define EPTCAP_INVEPT_ALL     (1UL << 26)
#define EPTCAP_INVVPID        (1UL << 32)
#define EPTCAP_INVVPID_SINGLE (1UL << 41)
#define EPTCAP_INVVPID_ALL    (1UL << 42)

/* EPTP: memory type of the tables and length of the walk less one. */
#define EPTP_WB    6UL
#define EPTP_WALK4 (3UL << 3)

#endif
