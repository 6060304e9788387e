; The option ROM by which a PC's firmware starts a kernel that lies beside it: firmware lists it as a
; device to boot from, and calls it as that. It copies what fw_cfg has of the kernel to where fw_cfg
; says, and enters its setup code.
;
; Sources: Plug and Play BIOS Specification 1.0a, "Option ROM Header", "Expansion Header for Plug and
; Play", "Bootstrap Entry Vector"; Linux, Documentation/arch/x86/boot.rst, "Running the Kernel"; QEMU,
; docs/specs/fw_cfg, "Register Locations". The two sums are filled in, and the stack's place, when a
; machine is built (machine/firmware_items.c).
bits 16
org 0

SELECTOR equ 0x510              ; fw_cfg; its data port follows

        db 0x55, 0xAA
        db (end - $$) / 512
        retf                    ; called at its discovery: there is nothing to do
        times 0x1A - ($ - $$) db 0
        dw pnp

stack:  dw 0                    ; BOOT_ROM_STACK: the setup code's stack pointer, at its segment
        times 0x20 - ($ - $$) db 0
pnp:    db "$PnP", 1, 2         ; revision, length in 16 bytes
        dw 0                    ; no header follows
        db 0, 0                 ; BOOT_ROM_PNP_SUM: the latter
        dd 0                    ; device
        dw 0, name              ; manufacturer, product
        db 0, 0, 0, 0           ; class, indicators
        dw 0, 0, boot           ; no connection vector, disconnect vector; bootstrap entry vector
        dw 0, 0                 ; no static resources
name:   db "kernel", 0

; ---- Starting it ----

boot:   cli
        cld
        xor ax, ax
        mov ss, ax
        mov sp, 0x7C00
        call flat
        mov si, parts
.part:  call copy
        cmp si, parts_end
        jne .part
        mov ax, [cs:setup_address]
        call number
        shr eax, 4
        mov dx, [cs:stack]
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov sp, dx
        add ax, 0x20            ; the setup code begins behind its boot sector
        push ax
        push word 0
        retf

; ES reaches 4 GiB from 0 on, until it is loaded again: its limit outlives protected mode.
flat:   xor eax, eax
        mov ax, cs
        shl eax, 4
        add eax, gdt
        push eax
        push word gdt_end - gdt - 1
        mov bp, sp
        lgdt [bp]
        add sp, 6
        mov eax, cr0
        or al, 1
        mov cr0, eax
        mov bx, 8
        mov es, bx
        and al, 0xFE
        mov cr0, eax
        ret

; One part of the kernel. CS:SI: its keys; SI is at the next part's afterwards.
copy:   cs lodsw
        call number
        mov edi, eax
        cs lodsw
        call number
        mov ecx, eax
        cs lodsw
        mov dx, SELECTOR
        out dx, ax
        inc dx
        a32 rep insb
        ret

; EAX: the number that key AX has. Changes CX and DX.
number: mov dx, SELECTOR
        out dx, ax
        inc dx
        mov cx, 4
.byte:  in al, dx
        ror eax, 8
        loop .byte
        ret

; Keys of address, size and bytes.
parts:
setup_address:
        dw 0x16, 0x17, 0x18     ; setup code
        dw 0x07, 0x08, 0x11     ; kernel
        dw 0x0A, 0x0B, 0x12     ; ramdisk
        dw 0x13, 0x14, 0x15     ; command line
parts_end:

        align 8
gdt:    dq 0
        dq 0x00CF92000000FFFF   ; data, 4 GiB
gdt_end:

        times 511 - ($ - $$) db 0
        db 0                    ; BOOT_ROM_SUM
end:
