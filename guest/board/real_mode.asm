; From 64-bit mode back to real mode, as a kernel goes there that wants the firmware's services, with
; interrupt table, 8259s and timer as they were found at the start.
; Source: SDM volume 3, "Switching Back to Real-Address Mode".

global real_mode

PLACE equ 0x8000                        ; where real mode reaches the code, which is copied there
TICKS equ 0x46C                         ; in the BIOS data area
COUNT equ 5

section .text
bits 64
real_mode:
        cli
        mov     esi, code
        mov     edi, PLACE
        mov     ecx, code_end - code
        rep     movsb
        lgdt    [rel pointer]
        push    0x08                    ; to 16-bit code, by a far return
        push    PLACE
        retfq

align 8
descriptors:
        dq      0
        dq      0x000F9A000000FFFF      ; 16-bit code of 1 MiB
        dq      0x000F92000000FFFF      ; and data
pointer:
        dw      3 * 8 - 1
        dq      descriptors

bits 16
code:                                   ; compatibility mode
        mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     eax, cr0
        and     eax, 0x7FFFFFFF
        mov     cr0, eax                ; out of paging
        mov     ecx, 0xC0000080
        rdmsr
        and     eax, ~0x100             ; and of long mode
        wrmsr
        xor     eax, eax
        mov     cr4, eax
        mov     cr0, eax
        jmp     0x0000:PLACE + real - code
real:
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, PLACE
        o32 lidt [PLACE + table - code]
        int     0x21                    ; nobody has it
        int     0x71                    ; a hardware interrupt's, of the second 8259
        sti
        mov     ebx, [TICKS]
.wait:
        hlt
        mov     eax, [TICKS]
        sub     eax, ebx
        cmp     eax, COUNT
        jb      .wait
        mov     si, PLACE + text - code
        mov     dx, [0x400]             ; COM1, as the BIOS data area has it
.say:
        lodsb
        test    al, al
        jz      .said
        out     dx, al
        jmp     .say
.said:
        jmp     0xFFFF:0x0000

table:  dw      0x3FF                   ; the interrupt table as it is after RESET
        dd      0
text:   db      "board: the timer ticks in real mode", 13, 10, 0
code_end:

section .note.GNU-stack noalloc noexec nowrite progbits
