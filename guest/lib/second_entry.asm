; The second vCPU's way from a STARTUP's real mode to 64-bit mode, with what start.asm has made.
; Copied to ENTRY, where real mode reaches it.

extern tables, gdt, second_fn
global second_code, second_code_end

ENTRY equ 0x8000

section .text
bits 16
second_code:
        cli
        xor     ax, ax
        mov     ds, ax
        o32 lgdt [ENTRY + second_gdt - second_code]
        mov     eax, 0x620              ; CR4: PAE, OSFXSR, OSXMMEXCPT
        mov     cr4, eax
        mov     eax, tables
        mov     cr3, eax
        mov     ecx, 0xC0000080         ; EFER: LME and SCE
        rdmsr
        or      eax, 0x101
        wrmsr
        mov     eax, 0x80000011
        mov     cr0, eax
        jmp     dword 0x08:second_long_mode
align 8
second_gdt:
        dw      5 * 8 - 1
        dd      gdt
second_code_end:

bits 64
second_long_mode:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, stack_top
        call    [second_fn]
.end:
        cli
        hlt
        jmp     .end

section .bss
align 16
stack:  resb 16384
stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
