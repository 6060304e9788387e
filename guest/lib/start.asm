; From a boot loader to main() in 64-bit mode: how every guest here begins.
;
; Multiboot (version 1) enters 32-bit protected mode without paging, EBX leading to the boot
; information. The file is linked as ELF64 and turned into ELF32 afterwards, which is what
; Multiboot loaders read. One identity map of 4 GiB in 2 MiB pages, one GDT, one IDT.
; Source: Multiboot Specification 0.6.96, "OS image format", "I386 machine state".

bits 32
extern main, trap_handle, vmcalls, vmcalls_end
global start, tables, gdt      ; the last two for who starts another vCPU

MAGIC equ 0x1BADB002
FLAGS equ 3                             ; modules page-aligned, memory information wanted

section .multiboot align=4
        dd      MAGIC, FLAGS, -(MAGIC + FLAGS)

; How Xen finds the same entry in a PVH image: a note of type 18, whose contents is the physical
; address. EBX leads to hvm_start_info then. Source: xen/include/public/elfnote.h.
section .note.Xen note alloc noexec nowrite align=4
        dd      4, 4, 18
        db      "Xen", 0
        dd      start

section .text
start:
        cli
        mov     esp, stack_top
        mov     edi, ebx                ; main's first argument; survives all below

        mov     eax, tables.directory + 7
        mov     ecx, 4
        xor     edx, edx
.pointers:                              ; the PDPT leads to four page directories
        mov     [tables.pointers + edx * 8], eax
        add     eax, 4096
        inc     edx
        loop    .pointers
        mov     dword [tables.root], tables.pointers + 7
        mov     eax, 0x87               ; present, writable, user, 2 MiB
        mov     edx, tables.directory
        mov     ecx, 2048
.pages:
        mov     [edx], eax
        add     eax, 0x200000
        add     edx, 8
        loop    .pages

        mov     eax, tables.root
        mov     cr3, eax
        mov     eax, cr4
        or      eax, 0x620              ; PAE, OSFXSR, OSXMMEXCPT
        mov     cr4, eax
        mov     ecx, 0xC0000080         ; EFER: LME and SCE
        rdmsr
        or      eax, 0x101
        wrmsr
        mov     eax, cr0
        or      eax, 0x80000001
        mov     cr0, eax
        lgdt    [gdt_pointer]
        jmp     0x08:long_mode

bits 64
long_mode:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        mov     edi, edi
        call    patch_vmcalls
        call    main
.end:
        cli
        hlt
        jmp     .end

; On AMD's processors each VMCALL becomes VMMCALL, by its last byte (hypercall.h). Keeps RDI.
patch_vmcalls:
        xor     eax, eax
        cpuid
        cmp     ebx, "Auth"             ; AuthenticAMD
        jne     .done
        mov     esi, vmcalls
.next:
        cmp     esi, vmcalls_end
        jae     .done
        mov     eax, [rsi]
        mov     byte [rax + 2], 0xD9
        add     esi, 4
        jmp     .next
.done:
        ret

; One stub a vector, 16 bytes each: an error code (a zero where the CPU pushes none), the vector.
align 16
global trap_stubs
trap_stubs:
%assign i 0
%rep 256
        align   16
  %if i = 8 || (i >= 10 && i <= 14) || i = 17 || i = 21
  %else
        push    0
  %endif
        push    strict dword i
        jmp     trap_common
  %assign i i + 1
%endrep

trap_common:
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
        mov     rdi, rsp                ; struct trap, guest/lib/trap.h
        cld
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
        add     rsp, 16                 ; vector, error code
        iretq

section .data
align 8
gdt:
        dq      0
        dq      0x00AF9B000000FFFF      ; 0x08: 64-bit code
        dq      0x00CF93000000FFFF      ; 0x10: data
        dq      0x00AFFB000000FFFF      ; 0x18: 64-bit code, CPL 3
        dq      0x00CFF3000000FFFF      ; 0x20: data, CPL 3
gdt_pointer:
        dw      $ - gdt - 1
        dq      gdt

section .bss
align 4096
tables:
.root:          resb 4096
.pointers:      resb 4096
.directory:     resb 4 * 4096
stack:          resb 16384
stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
