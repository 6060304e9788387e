; The world switch: out of C into the guest and back.
;
;   vmx_enter    in: RDI = struct vmx_vcpu *v
;                out: EAX = 0 after a VM exit, with v->gpr as the guest left them; 1 if the
;                instruction itself failed (VMfail) and no guest instruction ran
;
; Enters the guest of the current VMCS with the general registers of v->gpr (RSP excepted: it is in
; the VMCS). Called by run_enter() of run.h only, which tells the compiler that every register but
; RSP, RBP and RDI comes back changed: what C needs to keep it keeps itself.
; CR2, DR0-DR3 and DR6 stay the guest's while it is loaded: Caisson itself neither takes page faults
; nor sets breakpoints. Everything else of the host is restored by the VM exit.
; SDM, "VM Entries" and "VM Exits".

bits 64
default rel

; enum vmcs_field
VMCS_H_RSP equ 0x6C14

; offsets into struct vmx_vcpu, pinned by _Static_assert in run.c
%define GPR(n) [rdi + 8 * n]
%define LAUNCHED 128

global vmx_enter
global vmx_exited

section .text

vmx_enter:
    push rbp
    push rdi
    mov eax, VMCS_H_RSP
    vmwrite rax, rsp
    cmp byte [rdi + LAUNCHED], 0    ; no instruction below up to jz changes the flags
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
    jz .launch
    mov rdi, GPR(7)
    vmresume
    jmp .failed
.launch:
    mov byte [rdi + LAUNCHED], 1    ; if that fails, this VMCS is not entered again
    mov rdi, GPR(7)
    vmlaunch
.failed:
    pop rdi
    mov eax, 1
    pop rbp
    ret

; The VMCS field host RIP. RSP is as it was at the VMWRITE: at the saved pointer to v.
vmx_exited:
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
    xor eax, eax
    pop rdi
    pop rbp
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
