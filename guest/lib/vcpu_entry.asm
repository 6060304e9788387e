; Where a vCPU that vcpu_begin() has started begins: 64-bit mode, flat segments, no GDT of its own
; yet, and on its stack what it is to do.

extern gdt
global vcpu_entry

VCPU_OP equ 24
DOWN    equ 2

bits 64
section .text
vcpu_entry:
        lgdt    [rel pointer]
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        pop     rdi                     ; struct begin, guest/lib/vcpus.c
        pop     rax
        pop     rbx
        sub     rsp, 8                  ; aligned, with room for a far return
        push    0x08
        lea     rcx, [rel .here]
        push    rcx
        o64 retf
.here:
        call    rax
.down:
        mov     eax, VCPU_OP
        mov     edi, DOWN
        mov     rsi, rbx
.call:
        vmcall
        jmp     .down

section .vmcalls alloc noexec nowrite align=1
        dd      vcpu_entry.call

section .data
pointer:
        dw      5 * 8 - 1
        dq      gdt

section .note.GNU-stack noalloc noexec nowrite progbits
