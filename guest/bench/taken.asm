; Handlers as short as they can be, so that a row is the hypervisor's cost and not the guest's.
; Both end with an EOI by x2APIC.

X2APIC_EOI equ 0x80B

bits 64
default rel
global taken, taken_at, taken_count, taken_note

section .text
taken_count:                            ; taken++
        push    rax
        push    rcx
        push    rdx
        inc     qword [taken]
        jmp     eoi

taken_note:                             ; taken_at = TSC
        push    rax
        push    rcx
        push    rdx
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        mov     [taken_at], rax
eoi:
        mov     ecx, X2APIC_EOI
        xor     eax, eax
        xor     edx, edx
        wrmsr
        pop     rdx
        pop     rcx
        pop     rax
        iretq

section .bss
taken:          resq 1
taken_at:       resq 1

section .note.GNU-stack noalloc noexec nowrite progbits
