; From the firmware's 64-bit mode to the 32-bit protected mode without paging in which GRUB enters
; Caisson: so there is one entry for all, and one place that builds page tables.
;
; A flat piece that leave_prepare() copies to a page below 4 GiB, as caisson.efi may itself have been
; loaded above. Its stack is the end of that page. SDM, "Switching Out of IA-32e Mode Operation".
;
; In: edi = entry32, esi = struct boot_info, edx = what goes into eax there, rcx = the page.

CR0_PG          equ 1 << 31
CR4_PAE_LA57    equ 1 << 5 | 1 << 12
MSR_EFER        equ 0xc0000080
EFER_LME        equ 1 << 8
PAGE_BYTES      equ 4096

section .rodata.jump align=16
global jump_start
global jump_end

bits 64
default rel
jump_start:
        cli
        cld
        lea     rsp, [rcx + PAGE_BYTES]
        ; What the firmware may use and must not be on where it leads: PCIDs, shadow stacks.
        mov     rax, cr4
        and     eax, CR4_PAE_LA57
        mov     cr4, rax
        lea     rax, [gdt]
        mov     [gdt_pointer + 2], rax
        lgdt    [gdt_pointer]
        push    qword 0x08
        lea     rax, [compatibility]
        push    rax
        retfq

bits 32
compatibility:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     ebp, edx
        mov     eax, cr0
        and     eax, ~CR0_PG
        mov     cr0, eax
        mov     ecx, MSR_EFER
        rdmsr
        and     eax, ~EFER_LME
        wrmsr
        mov     eax, ebp
        mov     ebx, esi
        jmp     edi

align 8
gdt:
        dq 0
        dq 0x00cf9b000000ffff       ; 0x08: 32-bit code
        dq 0x00cf93000000ffff       ; 0x10: data
gdt_end:
gdt_pointer:
        dw gdt_end - gdt - 1
        dq 0
jump_end:
