; How another CPU comes up: from the STARTUP IPI in real mode to long mode.
;
; A flat piece that arch/x86/smp.c copies to a page below 1 MiB; it runs wherever that is. The
; parameters at its end (struct trampoline_params in arch/x86/trampoline.h) are filled in by the
; one who starts it. The first tables are the boot CPU's temporary ones, since they alone map this
; page at its own address; trampoline_high then takes the final ones.

PARAMS_EFER     equ 0
PARAMS_TEMP_CR3 equ 8

CR0_PE          equ 1 << 0
CR0_PG_WP_NE    equ 0x80010020
CR4_PAE         equ 1 << 5
MSR_EFER        equ 0xc0000080

extern trampoline_high

section .rodata.trampoline align=16
global trampoline_start
global trampoline_end
global trampoline_params

%define OFFSET(label) (label - trampoline_start)

bits 16
trampoline_start:
        cli
        cld
        mov     ax, cs
        mov     ds, ax
        movzx   ebx, ax
        shl     ebx, 4              ; the address that this runs at
        lea     eax, [ebx + OFFSET(gdt)]
        mov     [OFFSET(gdt_pointer) + 2], eax
        lea     eax, [ebx + OFFSET(protected)]
        mov     [OFFSET(to_protected)], eax
        lea     eax, [ebx + OFFSET(long64)]
        mov     [OFFSET(to_long)], eax
        o32 lgdt [OFFSET(gdt_pointer)]
        mov     eax, cr0
        and     eax, 0x9fffffff     ; INIT leaves the caches off: clear CD and NW
        or      eax, CR0_PE
        mov     cr0, eax
        jmp far dword [OFFSET(to_protected)]

bits 32
protected:
        mov     eax, 0x10
        mov     ds, eax
        mov     ss, eax
        mov     eax, cr4
        or      eax, CR4_PAE
        mov     cr4, eax
        mov     eax, [ebx + OFFSET(trampoline_params) + PARAMS_TEMP_CR3]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        mov     eax, [ebx + OFFSET(trampoline_params) + PARAMS_EFER]
        xor     edx, edx
        wrmsr
        mov     eax, cr0
        or      eax, CR0_PG_WP_NE
        mov     cr0, eax
        jmp far dword [ebx + OFFSET(to_long)]

bits 64
long64:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        mov     edi, ebx
        add     rdi, OFFSET(trampoline_params)
        mov     rax, trampoline_high
        jmp     rax

align 8
gdt:
        dq 0
        dq 0x00af9b000000ffff       ; 0x08: 64-bit code
        dq 0x00cf93000000ffff       ; 0x10: data
        dq 0x00cf9b000000ffff       ; 0x18: 32-bit code
gdt_end:
gdt_pointer:
        dw gdt_end - gdt - 1
        dd 0
to_protected:
        dd 0
        dw 0x18
to_long:
        dd 0
        dw 0x08

align 8
trampoline_params:
        times 6 dq 0
trampoline_end:
