; The doors of all 256 vectors.
;
; Each stub pushes its vector, in two bytes of code: of what that leaves on the stack the lowest byte
; counts, the rest is its sign. The common part brings the stack to the same shape for all (an error
; code, real or 0, and the vector), saves the registers as struct trap_frame (arch/x86/trap.h) and
; calls trap_handle().
; Caisson has no ring 3 and no use for swapgs. Interrupts stay off until the IRET.

bits 64

; SDM, "Error Code": #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP bring one along.
%define WITH_ERROR (1<<8 | 1<<10 | 1<<11 | 1<<12 | 1<<13 | 1<<14 | 1<<17 | 1<<21)

STUB_BYTES equ 8

extern trap_handle

section .text

align STUB_BYTES
global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
        align   STUB_BYTES, db 0xcc
        push    byte vector - (vector >> 7) * 256
  %if vector >= 32 || ((WITH_ERROR >> vector) & 1) == 0
        jmp     near trap_without_error
  %else
        jmp     near trap_common
  %endif
  %assign vector vector + 1
%endrep

trap_without_error:
        push    qword [rsp]         ; the vector; where it was comes the error code
        mov     qword [rsp + 8], 0
trap_common:
        cld
        push    rax
        push    rcx
        push    rdx
        push    rbx
        push    rbp
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
        mov     rdi, rsp
        call    trap_handle
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rbp
        pop     rbx
        pop     rdx
        pop     rcx
        pop     rax
        add     rsp, 16             ; vector, error code
        iretq
