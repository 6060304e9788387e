; Tasks of 32-bit protected mode, with PAE paging: from 64-bit mode there, through all of them, and
; back. What each finds it notes in `found` (tasks.h); main.c has built the descriptors.
; Source: SDM volume 3, "Task Management"; "Switching Out of IA-32e Mode".

global tasks_run
global tss_main, tss_b, tss_c, tss_vm86, tss_df, tss_pf, tss_ts, tss_ud, tss_soft, tss_ext, tss_nmi
global c_base, db_handler, pf_handler, found, vm86_code, vm86_code_end, pdpt_a, pdpt_b
global b_trapped, b_bad, c_again
extern tasks_gdt, tasks_idt, tables

CODE    equ 0x08
DATA    equ 0x10
MAIN    equ 0x28
B       equ 0x30
C       equ 0x38
VM86    equ 0x40
LONG_CODE    equ 0x60
GATE    equ 0x70
NOWHERE equ 0x78                        ; a TSS where no page is
THE_LDT equ 0xA0
LDT_GATE equ 0x0C                       ; in it
ABSENT  equ 0x80000000                  ; no page of main's, and the first GiB again in B's tables
APIC    equ 0xFEE00000
EFER    equ 0xC0000080
TSS_EIP equ 32
TSS_EFLAGS equ 36
TSS_EAX equ 40
TSS_CS  equ 76
TSS_DS  equ 84
TSS_TRAP equ 100

struc found_t                           ; struct found
.b_tr:          resd 1
.b_flags:       resd 1
.b_cr0:         resd 1
.b_cr3:         resd 1
.b_marker:      resd 1
.b_dr7:         resd 1
.b_busy:        resd 1                  ; access bytes of B and main, in B
.main_busy:     resd 1
.b_free:        resd 1                  ; and of B in main again
.kept:          resd 1                  ; registers that main has kept, of 6
.call_flags:    resd 1
.call_link:     resd 1
.gate:          resd 1
.c_cs:          resd 1
.c_link:        resd 1
.c_ip:          resd 1
.c_count:       resd 1
.pf_count:      resd 1
.pf_error:      resd 1
.pf_cr2:        resd 1
.pf_link:       resd 1
.pf_eip:        resd 1                  ; is that of the instruction
.pf_flags:      resd 1
.nowhere_cr2:   resd 1
.df_count:      resd 1
.df_error:      resd 1
.df_stack:      resd 1                  ; ESP that the task gate saved for main
.ts_error:      resd 1
.ts_link:       resd 1
.ts_eip:        resd 1
.ud_count:      resd 1
.vm86_eax:      resd 1
.vm86_cs:       resd 1
.vm86_flags:    resd 1
.vm86_eip:      resd 1
.soft:          resd 1
.external:      resd 1
.nmi:           resd 1
.dr6:           resd 1
.db_eip:        resd 1
.done:          resd 1
endstruc

%define FOUND(x) found + found_t. %+ x

section .text
bits 64
tasks_run:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        cli
        sgdt    [rel old_gdt]
        sidt    [rel old_idt]
        mov     [rel old_rsp], rsp
        lgdt    [rel new_gdt]
        push    CODE
        push    down
        retfq
.up:
        lgdt    [rel old_gdt]
        lidt    [rel old_idt]
        mov     rsp, [rel old_rsp]
        push    0x08
        push    .back
        retfq
.back:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

bits 32
down:                                   ; compatibility mode
        mov     eax, DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, stack_main
        mov     eax, cr0
        and     eax, 0x7FFFFFFF
        mov     cr0, eax
        mov     ecx, EFER
        rdmsr
        and     eax, ~0x100
        wrmsr
        mov     eax, pdpt_a
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        lidt    [new_idt]
        mov     eax, THE_LDT
        lldt    ax
        mov     eax, MAIN
        ltr     ax
        clts

; ---- JMP to B and back ----
        mov     eax, 0x404              ; L1
        mov     dr7, eax
        mov     ebx, 0xA1
        mov     ecx, 0xA2
        mov     edx, 0xA3
        mov     esi, 0xA4
        mov     edi, 0xA5
        mov     ebp, 0xA6
        jmp     B:0
        xor     eax, eax
        cmp     ebx, 0xA1
        call    count_equal
        cmp     ecx, 0xA2
        call    count_equal
        cmp     edx, 0xA3
        call    count_equal
        cmp     esi, 0xA4
        call    count_equal
        cmp     edi, 0xA5
        call    count_equal
        cmp     ebp, 0xA6
        call    count_equal
        mov     [FOUND(kept)], eax
        movzx   eax, byte [tasks_gdt + B + 5]
        mov     [FOUND(b_free)], eax

; ---- CALL, also by gates of both tables, by memory, and INT n; each comes back by IRET ----
        call    B:0
        call    GATE:0
        call    far [far_b]
        call    LDT_GATE:0
        call    C:0
        call    C:0
        movzx   eax, word [tss_c + 14]
        mov     [FOUND(c_ip)], eax
        int     0x80
        int     0x80

; ---- #PF: by an instruction, and by a TSS that is not there ----
        mov     dword [resume], .after_pf
        mov     eax, ABSENT + 0x123
.faults:
        mov     [eax], eax
.after_pf:
        mov     eax, [FOUND(pf_eip)]
        sub     eax, .faults
        mov     [FOUND(pf_eip)], eax
        mov     dword [resume], .after_nowhere
        push    dword [FOUND(pf_cr2)]
        jmp     NOWHERE:0
.after_nowhere:
        mov     eax, [FOUND(pf_cr2)]
        mov     [FOUND(nowhere_cr2)], eax
        pop     dword [FOUND(pf_cr2)]

; ---- #DF: #GP without a handler; a stack that has run over, for a #PF by an interrupt gate ----
        mov     dword [resume], .after_df
        mov     eax, 0xF8
        mov     fs, eax
.after_df:
        mov     eax, [tasks_idt + 14 * 8]
        mov     edx, [tasks_idt + 14 * 8 + 4]
        push    eax
        push    edx
        mov     eax, [pf_gate]
        mov     edx, [pf_gate + 4]
        mov     [tasks_idt + 14 * 8], eax
        mov     [tasks_idt + 14 * 8 + 4], edx
        mov     [main_esp], esp
        mov     dword [resume], .after_overflow
        mov     esp, ABSENT + 0x100
        push    eax
.after_overflow:
        pop     edx
        pop     eax
        mov     [tasks_idt + 14 * 8], eax
        mov     [tasks_idt + 14 * 8 + 4], edx

; ---- Into vm86 by JMP, out by #UD, in again by IRET, out again ----
        jmp     VM86:0

; ---- #TS in the new task ----
        mov     dword [tss_b + TSS_EIP], b_bad
        mov     word [tss_b + TSS_DS], 0xF8
        jmp     B:0

; ---- The debug trap ----
        mov     dword [tss_b + TSS_EIP], b_trapped
        mov     word [tss_b + TSS_TRAP], 1
        jmp     B:0
        mov     word [tss_b + TSS_TRAP], 0

; ---- An interrupt of the machine's; NMIs, of which the second wants the first one's IRET ----
        mov     dword [APIC + 0xF0], 0x1FF
        mov     eax, [APIC + 0x20]
        mov     [APIC + 0x310], eax
        mov     dword [APIC + 0x300], 0x4081
        sti
        mov     edx, FOUND(external)
        mov     ebx, 1
        call    await
        cli
        mov     dword [APIC + 0x300], 0x4400
        mov     edx, FOUND(nmi)
        call    await
        mov     dword [APIC + 0x300], 0x4400
        mov     ebx, 2
        call    await
        mov     dword [FOUND(done)], 1

; ---- Back to 64-bit mode ----
        mov     eax, cr0
        and     eax, 0x7FFFFFFF
        mov     cr0, eax
        mov     ecx, EFER
        rdmsr
        or      eax, 0x100
        wrmsr
        mov     eax, tables
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
        and     eax, ~8                 ; TS
        mov     cr0, eax
        jmp     LONG_CODE:tasks_run.up

count_equal:                            ; keeps flags for nobody
        jne     .no
        inc     eax
.no:
        ret

await:                                  ; until [EDX] is EBX, for a while
        mov     ecx, 100000
.again:
        cmp     [edx], ebx
        je      .here
        pause
        loop    .again
.here:
        ret

; ---- Task B ----
b_entry:
        xor     eax, eax
        str     ax
        mov     [FOUND(b_tr)], eax
        pushfd
        pop     dword [FOUND(b_flags)]
        mov     eax, cr0
        mov     [FOUND(b_cr0)], eax
        mov     eax, cr3
        sub     eax, pdpt_b
        mov     [FOUND(b_cr3)], eax
        mov     eax, [ABSENT + marker]
        mov     [FOUND(b_marker)], eax
        mov     eax, dr7
        mov     [FOUND(b_dr7)], eax
        movzx   eax, byte [tasks_gdt + B + 5]
        mov     [FOUND(b_busy)], eax
        movzx   eax, byte [tasks_gdt + MAIN + 5]
        mov     [FOUND(main_busy)], eax
        jmp     MAIN:0
        pushfd                          ; by CALL
        pop     dword [FOUND(call_flags)]
        movzx   eax, word [tss_b]
        mov     [FOUND(call_link)], eax
        iret
.gate:
        inc     dword [FOUND(gate)]
        iret
        jmp     .gate
b_bad:
        mov     eax, [FOUND(ts_eip)]
        sub     eax, b_bad
        mov     [FOUND(ts_eip)], eax
b_trapped:
        jmp     MAIN:0

; ---- The task of a 16-bit TSS, in a segment that begins here ----
c_base:
c_entry:
        xor     eax, eax
        mov     ax, cs
        mov     [FOUND(c_cs)], eax
        movzx   eax, word [tss_c]
        mov     [FOUND(c_link)], eax
        inc     dword [FOUND(c_count)]
        iret
c_again:
        jmp     c_entry

; ---- Tasks of gates in the IDT ----
pf_entry:
        pop     dword [FOUND(pf_error)]
        mov     eax, cr2
        mov     [FOUND(pf_cr2)], eax
        movzx   eax, word [tss_pf]
        mov     [FOUND(pf_link)], eax
        inc     dword [FOUND(pf_count)]
        cmp     dword [FOUND(pf_count)], 1
        jne     .later
        mov     eax, [tss_main + TSS_EIP]
        mov     [FOUND(pf_eip)], eax
        mov     eax, [tss_main + TSS_EFLAGS]
        mov     [FOUND(pf_flags)], eax
.later:
        mov     eax, [resume]
        mov     [tss_main + TSS_EIP], eax
        iret
        jmp     pf_entry

df_entry:
        pop     dword [FOUND(df_error)]
        inc     dword [FOUND(df_count)]
        mov     eax, [resume]
        mov     [tss_main + TSS_EIP], eax
        cmp     dword [FOUND(df_count)], 1
        je      .return
        mov     eax, [tss_main + 56]
        mov     [FOUND(df_stack)], eax
        mov     eax, [main_esp]
        mov     [tss_main + 56], eax
.return:
        iret
        jmp     df_entry

ts_entry:
        pop     dword [FOUND(ts_error)]
        movzx   eax, word [tss_ts]
        mov     [FOUND(ts_link)], eax
        mov     eax, [tss_b + TSS_EIP]
        mov     [FOUND(ts_eip)], eax
        mov     word [tss_b + TSS_DS], DATA
        mov     dword [tss_b + TSS_EIP], b_bad
        iret
        jmp     ts_entry

ud_entry:
        inc     dword [FOUND(ud_count)]
        mov     eax, [tss_vm86 + TSS_EAX]
        mov     [FOUND(vm86_eax)], eax
        movzx   eax, word [tss_vm86 + TSS_CS]
        mov     [FOUND(vm86_cs)], eax
        mov     eax, [tss_vm86 + TSS_EFLAGS]
        mov     [FOUND(vm86_flags)], eax
        mov     eax, [tss_vm86 + TSS_EIP]
        mov     [FOUND(vm86_eip)], eax
        cmp     dword [FOUND(ud_count)], 2
        je      .out
        add     dword [tss_vm86 + TSS_EIP], 2
        iret
        jmp     ud_entry
.out:
        jmp     MAIN:0

soft_entry:
        inc     dword [FOUND(soft)]
        iret
        jmp     soft_entry

ext_entry:
        inc     dword [FOUND(external)]
        mov     dword [APIC + 0xB0], 0
        iret
        jmp     ext_entry

nmi_entry:
        inc     dword [FOUND(nmi)]
        iret
        jmp     nmi_entry

; ---- Handlers of interrupt gates ----
db_handler:
        push    eax
        mov     eax, dr6
        mov     [FOUND(dr6)], eax
        mov     eax, [esp + 4]
        sub     eax, b_trapped
        mov     [FOUND(db_eip)], eax
        xor     eax, eax
        mov     dr6, eax
        pop     eax
        iret

pf_handler:                             ; never reached: there is no stack for it
        jmp     pf_handler

bits 16
vm86_code:
        mov     ax, 0x1234
        ud2
        mov     ax, 0x5678
        ud2
vm86_code_end:

section .data
align 8
global pf_gate
pf_gate:        dq 0                    ; an interrupt gate to pf_handler
new_gdt:        dw 32 * 8 - 1
                dq tasks_gdt
old_gdt:        dw 0
                dq 0
old_idt:        dw 0
                dq 0
new_idt:        dw 256 * 8 - 1
                dd tasks_idt
old_rsp:        dq 0
far_b:          dd 0
                dw B
resume:         dd 0
main_esp:       dd 0
marker:         dd 0x600DCAFE

; link, three stacks, CR3, EIP, EFLAGS, general registers, ES, CS, SS, DS, FS, GS, LDT, T and I/O map
%macro tss 3
align   128
%1:     dd      0, 0, 0, 0, 0, 0, 0, pdpt_a, %2, 2, 0, 0, 0, 0, %3, 0, 0, 0
        dd      DATA, CODE, DATA, DATA, 0, 0, 0, 104 << 16
%endmacro
        tss     tss_main, 0, 0
        tss     tss_b, b_entry, stack_b
        tss     tss_pf, pf_entry, stack_pf
        tss     tss_df, df_entry, stack_df
        tss     tss_ts, ts_entry, stack_ts
        tss     tss_ud, ud_entry, stack_ud
        tss     tss_soft, soft_entry, stack_soft
        tss     tss_ext, ext_entry, stack_ext
        tss     tss_nmi, nmi_entry, stack_nmi
        tss     tss_vm86, 0, 0x800

section .bss
align 32
pdpt_a:         resq 4
pdpt_b:         resq 4
found:          resb found_t_size
tss_c:          resb 44
%macro stack 1
align 16
                resb 256
%1:
%endmacro
        stack   stack_main
        stack   stack_b
        stack   stack_pf
        stack   stack_df
        stack   stack_ts
        stack   stack_ud
        stack   stack_soft
        stack   stack_ext
        stack   stack_nmi

section .note.GNU-stack noalloc noexec nowrite progbits
