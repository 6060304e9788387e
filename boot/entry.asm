; From the boot loader's first instruction to main() in long mode.
;
; GRUB enters at entry32 in 32-bit protected mode, paging off, with the image anywhere below 4 GiB
; at a multiple of 2 MiB (multiboot2 specification, "Machine state"), and caisson.efi does as GRUB
; does, with a struct boot_info and a stack (boot/efi/jump.asm). Until the jump to the high
; half the code therefore reaches its data relative to ebp, the machine address of IMAGE_BASE.
;
; The temporary page tables map the low 4 GiB one to one, and the image where it was linked. main()
; replaces them; the other CPUs go through them once more on their way up (boot/trampoline.asm).

bits 32

IMAGE_BASE      equ 0xffffffff80000000
LINK_OFFSET     equ 0x200000
MB2_HEADER      equ 0xe85250d6
MB2_MAGIC       equ 0x36d76289
BOOT_INFO_MAGIC equ 0xca155013      ; the same as in boot/boot_info.h
COM1            equ 0x3f8
VGA_TEXT        equ 0xb8000

CR0_PG_WP_NE    equ 0x80010020
CR4_PAE         equ 1 << 5
MSR_EFER        equ 0xc0000080
EFER_LME        equ 1 << 8
CPUID_EXT1D_LM  equ 1 << 29

PTE_RW          equ 0x003           ; present, writable
PTE_RW_LARGE    equ 0x083           ; and a 2 MiB page

SEL_CODE        equ 0x08            ; the same numbers as in arch/x86/desc.h
SEL_DATA        equ 0x10

; A letter of "CAISSON" for each step, to COM1 and port 0xE9: where the trail ends, the machine
; stopped. The port's FIFO takes them all, so nobody waits. main() writes the rest. Clobbers ax, dx.
%macro TRAIL 1
        mov     al, %1
        out     0xe9, al
        mov     dx, COM1
        out     dx, al
%endmacro

; Writes %2 to COM1's register %1 (PC16550D data sheet, "Registers").
%macro COM1_SET 2
        mov     dx, COM1 + %1
        mov     al, %2
        out     dx, al
%endmacro

; A label's distance from IMAGE_BASE: its machine address, once ebp is added.
%define LOW(label) (label - IMAGE_BASE)

extern main
extern image_end

; ---- Header ----------------------------------------------------------------------------------
; No framebuffer tag. On UEFI, where there is no text mode, GRUB sets a graphics mode and tells of
; it unasked, if a driver for it is loaded (insmod efi_gop). On a BIOS it would change the mode on
; our account by VBE, which not every machine survives; without the tag it stays in text mode.
;
; Nor the tag that keeps UEFI's boot services running: with it GRUB hands over no memory map, and
; enters on the firmware's page tables. Who wants the firmware asked boots caisson.efi (boot/efi/);
; GRUB leaves it by the book, and gives us what it had to say in tags.

section .multiboot2 align=8
multiboot2_header:
        dd MB2_HEADER
        dd 0                        ; i386 protected mode
        dd multiboot2_header_end - multiboot2_header
        dd -(MB2_HEADER + (multiboot2_header_end - multiboot2_header))

align 8                             ; information wanted, not insisted on
        dw 1, 1
        dd .info_end - ($ - 4)
        dd 1, 2, 3, 6, 8, 14, 15, 17 ; lines, name, modules, memory, screen, RSDPs, EFI memory
.info_end:
align 8                             ; modules on page boundaries
        dw 6, 1
        dd 8
align 8                             ; may be loaded elsewhere, if 2 MiB is taken
        dw 10, 0
        dd 24
        dd 0x100000, 0xffffffff     ; lowest, highest address
        dd 0x200000                 ; alignment
        dd 1                        ; as low as possible
align 8
        dw 0, 0
        dd 8
global multiboot2_header_end
multiboot2_header_end:

; ---- 32-bit ----------------------------------------------------------------------------------

section .text

; In: eax = MB2_MAGIC, ebx = multiboot2 information; or
;     eax = BOOT_INFO_MAGIC, ebx = struct boot_info, esp = a stack.
global entry32
entry32:
        cli
        cld
        mov     esi, eax
        COM1_SET 3, 0x83            ; 8 bits, no parity; the next two are the divisor
        COM1_SET 0, 1               ; 115200 baud
        COM1_SET 1, 0
        COM1_SET 3, 0x03
        COM1_SET 1, 0               ; no interrupts
        COM1_SET 2, 0x01            ; FIFOs
        TRAIL   'C'
        cmp     esi, BOOT_INFO_MAGIC
        je      .locate
        ; No stack was promised. The information's second word is reserved, and big enough for
        ; the one return address that tells where we are.
        lea     esp, [ebx + 8]
        cmp     esi, MB2_MAGIC
        je      .locate
        mov     esp, 0x7c00
.locate:
        call    .here
.here:
        pop     ebp
        sub     ebp, LOW(.here)
        lea     esp, [ebp + LOW(boot_stack_top)]

        cmp     esi, BOOT_INFO_MAGIC
        je      .known
        cmp     esi, MB2_MAGIC
        mov     edi, LOW(not_multiboot2)
        jne     refuse32
        mov     dword [ebx + 4], 0
.known:
        call    has_long_mode
        mov     edi, LOW(not_long_mode)
        jz      refuse32

        TRAIL   'A'
        call    build_tables
        call    enter_long_mode
        lea     eax, [ebp + LOW(boot_gdt)]
        mov     [ebp + LOW(boot_gdt_pointer) + 2], eax
        lgdt    [ebp + LOW(boot_gdt_pointer)]
        ; A far return instead of a far jump: the target is known at run time only.
        push    dword SEL_CODE
        lea     eax, [ebp + LOW(entry64)]
        push    eax
        retf

; Out: ZF set if the CPU cannot do long mode. Keeps ebx, ebp, esi.
has_long_mode:
        push    ebx
        mov     eax, 0x80000000
        cpuid
        xor     edx, edx
        cmp     eax, 0x80000001
        jb      .done
        mov     eax, 0x80000001
        cpuid
.done:
        pop     ebx
        test    edx, CPUID_EXT1D_LM
        ret

; Fills the tables in .bss, which the boot loader has cleared. Clobbers eax, ecx, edx, edi.
build_tables:
        ; One to one: 2048 large pages in four directories that lie one after the other.
        lea     edi, [ebp + LOW(low_directories)]
        mov     eax, PTE_RW_LARGE
        mov     ecx, 2048
.low:
        mov     [edi], eax
        add     eax, 0x200000
        add     edi, 8
        loop    .low

        ; The image: large pages from its start on.
        lea     edi, [ebp + LOW(image_directory) + (LINK_OFFSET >> 21) * 8]
        lea     eax, [ebp + LINK_OFFSET + PTE_RW_LARGE]
        mov     ecx, LOW(image_end + 0x1fffff - LINK_OFFSET)
        shr     ecx, 21
.image:
        mov     [edi], eax
        add     eax, 0x200000
        add     edi, 8
        loop    .image

        lea     eax, [ebp + LOW(low_directories) + PTE_RW]
        lea     edi, [ebp + LOW(low_pdpt)]
        mov     ecx, 4
.pdpt:
        mov     [edi], eax
        add     eax, 0x1000
        add     edi, 8
        loop    .pdpt

        lea     eax, [ebp + LOW(image_directory) + PTE_RW]
        mov     [ebp + LOW(image_pdpt) + 510 * 8], eax
        lea     eax, [ebp + LOW(low_pdpt) + PTE_RW]
        mov     [ebp + LOW(boot_pml4)], eax
        lea     eax, [ebp + LOW(image_pdpt) + PTE_RW]
        mov     [ebp + LOW(boot_pml4) + 511 * 8], eax
        ret

; SDM, "Initializing IA-32e Mode". Clobbers eax, ecx, edx. CR4 is not added to: firmware that runs on
; five levels of tables leaves LA57 set, and a boot loader may pass it on.
enter_long_mode:
        mov     eax, CR4_PAE
        mov     cr4, eax
        lea     eax, [ebp + LOW(boot_pml4)]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME
        wrmsr
        mov     eax, cr0
        or      eax, CR0_PG_WP_NE
        mov     cr0, eax
        ret

; Says in one line why not, on COM1 and at the top of the screen, and stops. edi: LOW(text).
; A machine without the port or the screen loses nothing but the text.
refuse32:
        lea     esi, [ebp + edi]
        mov     edi, VGA_TEXT
        mov     ah, 0x4f            ; white on red
.next:
        mov     al, [esi]
        inc     esi
        test    al, al
        jz      .stop
        mov     [edi], ax
        add     edi, 2
        mov     bl, al
        call    put_com1
        jmp     .next
.stop:
        hlt
        jmp     .stop

; Sends bl; waits for room, but not for ever.
put_com1:
        mov     ecx, 0x10000
        mov     dx, COM1 + 5
.wait:
        in      al, dx
        test    al, 0x20
        loopz   .wait
        mov     dx, COM1
        mov     al, bl
        out     dx, al
        ret

; ---- 64-bit ----------------------------------------------------------------------------------

bits 64
default rel

; Still at the low address; ebp, ebx and esi as above, everything else is free.
entry64:
        mov     eax, SEL_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        TRAIL   'I'
        mov     rax, entry_high
        jmp     rax

entry_high:
        mov     ebp, ebp            ; the upper halves are undefined after the mode switch
        mov     [image_phys_base], rbp
        mov     edi, ebx
        mov     esi, esi
        lea     rsp, [boot_stack_top]
        lgdt    [boot_gdt_pointer_high]
        xor     ebp, ebp            ; the end of every backtrace
        push    rbp
        push    rbp
        TRAIL   'S'
        call    main
.stop:
        hlt
        jmp     .stop

; Where the other CPUs come in from the trampoline, in the high half, on the temporary tables.
; rdi: struct trampoline_params (arch/x86/trampoline.h), through the one-to-one map.
global trampoline_high
trampoline_high:
        mov     rax, [rdi + 24]     ; stack
        mov     rsi, [rdi + 32]     ; per-CPU data
        mov     r8, [rdi + 40]      ; where to go
        mov     rcx, [rdi + 16]     ; the final tables; rdi's target is gone with the next line
        mov     cr3, rcx
        mov     rsp, rax
        lgdt    [boot_gdt_pointer_high]
        mov     ecx, 0xc0000101     ; IA32_GS_BASE
        mov     rdx, rsi
        shr     rdx, 32
        mov     eax, esi
        wrmsr
        xor     ebp, ebp
        push    rbp
        push    rbp
        call    r8
.stop:
        hlt
        jmp     .stop

; ---- Data ------------------------------------------------------------------------------------

section .rodata
not_multiboot2: db "Caisson: not started by a multiboot2 boot loader", 13, 10, 0
not_long_mode:  db "Caisson: this CPU has no 64-bit mode", 13, 10, 0

; As few segments as long mode needs; arch/x86/desc.c brings the real table.
align 8
boot_gdt:
        dq 0
        dq 0x00af9b000000ffff       ; SEL_CODE: 64-bit, accessed
        dq 0x00cf93000000ffff       ; SEL_DATA
boot_gdt_end:
boot_gdt_pointer_high:
        dw boot_gdt_end - boot_gdt - 1
        dq boot_gdt

section .data
align 8
boot_gdt_pointer:
        dw boot_gdt_end - boot_gdt - 1
        dd 0

; The machine address of IMAGE_BASE + 0.
global image_phys_base
align 8
image_phys_base: dq 0

section .bss align=4096
global boot_pml4
boot_pml4:       resb 4096
low_pdpt:        resb 4096
low_directories: resb 4 * 4096
image_pdpt:      resb 4096
image_directory: resb 4096
boot_stack:      resb 16384
boot_stack_top:
