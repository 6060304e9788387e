; The world switch: out of C into the guest and back.
;
;   svm_enter    in: RDI = struct virt_vcpu *v, RSI = struct svm_vcpu *s, v's own
;                out: v->gpr as the guest left them
;
; Enters the guest of s->vmcb with the general registers of v->gpr (RSP excepted: it is in the VMCB).
; Called by run_enter() of run.h only, which tells the compiler that every register but RSP, RBP and
; RDI comes back changed.
;
; VMRUN switches RAX, RSP, RIP, RFLAGS, the control registers, EFER, DR6, DR7, CR2 and four segments
; by itself; FS, GS, TR, LDTR and the MSRs of system calls go by VMLOAD and VMSAVE. In between nothing
; may come in, NMIs included, since there is neither a TSS of ours for their stacks nor our GS base:
; so GIF is off. IF is on across VMRUN, for with V_INTR_MASKING it decides whether the machine's
; interrupts leave the guest; GIF keeps them out of here all the same.
; DR0-DR3 and XCR0 stay the guest's while it is loaded.
; APM volume 2, "VMRUN Instruction", "Global Interrupt Flag", "Interrupt Masking in EFLAGS.IF".

bits 64
default rel

%include "virt/guard.inc"

; offsets into struct virt_vcpu, pinned by _Static_assert in run.c
%define GPR(n) [rdi + 8 * n]

; into struct svm_vcpu
%define VMCB    0
%define VMCB_AT 8
%define HOST_AT 16

; into struct vmcb
%define VMCB_RAX 0x5F8

global svm_enter

section .text

svm_enter:
    push rbp
    push qword [rsi + HOST_AT]
    push qword [rsi + VMCB]
    push rdi
    clgi
    sti
    cmp byte [spec_switch + ENTRY], 0
    jne .prepare
.load:
    mov rax, [rsi + VMCB]
    mov rcx, GPR(0)
    mov [rax + VMCB_RAX], rcx
    mov rax, [rsi + VMCB_AT]
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
    mov rdi, GPR(7)
    vmload
    vmrun
    vmsave                          ; RAX and RSP are again what they were at VMRUN
    push rdi
    mov rdi, [rsp + 8]
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
    mov rcx, [rsp + 8]              ; the VMCB
    mov rdx, [rcx + VMCB_RAX]
    mov GPR(0), rdx
    mov rax, [rsp + 16]
    vmload
    test dword [spec_switch], 0xFFFFFF00 ; EXIT, CALLS and HISTORY
    jnz .guard
.guarded:
    cli
    stgi                            ; an NMI that made the exit comes in here
    pop rdi
    add rsp, 16
    pop rbp
    ret

.prepare:
    load_spec_ctrl
    test byte [spec_switch + ENTRY], ENTRY_VERW
    jz .load
    verw [data_selector]            ; what is read behind it is the guest's own, or where its VMCB is
    jmp .load

.guard:
    test byte [spec_switch + EXIT], EXIT_IBPB
    jz .others
    mov ecx, MSR_PRED_CMD
    mov eax, 1
    xor edx, edx
    wrmsr
.others:                            ; the return stack after it: IBPB may leave that as it is
    guard_exit
    xor eax, eax
    jmp .guarded

section .note.GNU-stack noalloc noexec nowrite progbits
