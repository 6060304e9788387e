; The world switch: out of C into the guest and back.
;
;   vmx_enter    in: RDI = struct virt_vcpu *v
;                out: EAX = 0 after a VM exit, with v->gpr as the guest left them; 1 if the
;                instruction itself failed (VMfail) and no guest instruction ran
;
; Enters the guest of the current VMCS with the general registers of v->gpr (RSP excepted: it is in
; the VMCS). Called by run_enter() of run.h only, which tells the compiler that every register but
; RSP, RBP and RDI comes back changed: what C needs to keep it keeps itself.
; CR2, DR0-DR3 and DR6 stay the guest's while it is loaded: Caisson itself neither takes page faults
; nor sets breakpoints. Everything else of the host is restored by the VM exit.
;
; v->straight says that nothing is to be done before a VMRESUME; otherwise the entry goes by way of
; .prepare. An exit comes in at vmx_exited, or, where the CPU needs something done after it, at
; vmx_exited_guarded: host.c chooses. So a CPU that needs nothing pays nothing.
; SDM, "VM Entries" and "VM Exits"; docs/speculation.md.

bits 64
default rel

%include "virt/guard.inc"

; enum vmcs_field
VMCS_H_RSP equ 0x6C14

MSR_FLUSH_CMD equ 0x10B

; offsets into struct virt_vcpu, pinned by _Static_assert in run.c
%define GPR(n) [rdi + 8 * n]
%define STRAIGHT  128
%define LAUNCHED  129

global vmx_enter
global vmx_exited
global vmx_exited_guarded

; All but RSP and RDI; changes no flags.
%macro load_registers 0
    mov rax, GPR(0)
    mov rcx, GPR(1)
    mov rdx, GPR(2)
    mov rbx, GPR(3)
    mov rbp, GPR(5)
    mov rsi, GPR(6)
    mov r8, GPR(8)
    mov r9, GPR(9)
    mov r10, GPR(10)
    mov r11, GPR(11)
    mov r12, GPR(12)
    mov r13, GPR(13)
    mov r14, GPR(14)
    mov r15, GPR(15)
%endmacro

; After an exit RSP is as it was at the VMWRITE: at the saved pointer to v, which is then in RDI.
%macro keep_registers 0
    push rdi
    mov rdi, [rsp + 8]
    mov GPR(0), rax
    mov GPR(1), rcx
    mov GPR(2), rdx
    mov GPR(3), rbx
    mov GPR(5), rbp
    mov GPR(6), rsi
    mov GPR(8), r8
    mov GPR(9), r9
    mov GPR(10), r10
    mov GPR(11), r11
    mov GPR(12), r12
    mov GPR(13), r13
    mov GPR(14), r14
    mov GPR(15), r15
    pop qword GPR(7)
%endmacro

section .text

vmx_enter:
    push rbp
    push rdi
    mov eax, VMCS_H_RSP
    vmwrite rax, rsp
    cmp byte [rdi + STRAIGHT], 0
    je .prepare
    load_registers
    mov rdi, GPR(7)
    vmresume
.failed:
    pop rdi
    mov eax, 1
    pop rbp
    ret

.prepare:
    load_spec_ctrl
    test byte [spec_switch + ENTRY], ENTRY_L1D
    jz .load
    mov ecx, MSR_FLUSH_CMD
    mov eax, 1
    xor edx, edx
    wrmsr
.load:
    load_registers
    test byte [spec_switch + ENTRY], ENTRY_VERW
    jz .enter
    verw [data_selector]
.enter:                             ; from here on only v, the guest's own, is read
    cmp byte [rdi + LAUNCHED], 0
    je .launch
    mov rdi, GPR(7)
    vmresume
    jmp .failed
.launch:
    mov byte [rdi + LAUNCHED], 1    ; if that fails, this VMCS is not entered again
    cmp byte [spec_switch + ENTRY], 0
    sete [rdi + STRAIGHT]
    mov rdi, GPR(7)
    vmlaunch
    jmp .failed

; The VMCS field host RIP.
vmx_exited:
    keep_registers
    xor eax, eax
    pop rdi
    pop rbp
    ret

; The same with what spec_switch says.
vmx_exited_guarded:
    keep_registers
    guard_exit
    xor eax, eax
    pop rdi
    pop rbp
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
