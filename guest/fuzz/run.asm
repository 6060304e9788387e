; Into the random code: all registers, then its segment, flags and stack by IRET.

bits 64
global fuzz_enter

section .text
fuzz_enter:                             ; rdi: 15 registers, rsi: the frame of IRETQ
        push    qword [rsi + 32]
        push    qword [rsi + 24]
        push    qword [rsi + 16]
        push    qword [rsi + 8]
        push    qword [rsi]
        mov     rax, [rdi]
        mov     rcx, [rdi + 8]
        mov     rdx, [rdi + 16]
        mov     rbx, [rdi + 24]
        mov     rbp, [rdi + 32]
        mov     rsi, [rdi + 40]
        mov     r8, [rdi + 56]
        mov     r9, [rdi + 64]
        mov     r10, [rdi + 72]
        mov     r11, [rdi + 80]
        mov     r12, [rdi + 88]
        mov     r13, [rdi + 96]
        mov     r14, [rdi + 104]
        mov     r15, [rdi + 112]
        mov     rdi, [rdi + 48]
        iretq

section .note.GNU-stack noalloc noexec nowrite progbits
