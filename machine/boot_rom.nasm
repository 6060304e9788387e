; The option ROM by which a PC's firmware starts a kernel that lies beside it: firmware lists it as a
; device to boot from, and calls it as that. It copies what fw_cfg has of the kernel to where fw_cfg
; says, and enters its setup code.
;
; Sources: Plug and Play BIOS Specification 1.0a, "Option ROM Header", "Expansion Header for Plug and
; Play", "Bootstrap Entry Vector"; Linux, Documentation/arch/x86/boot.rst, "Running the Kernel"; QEMU,
; docs/specs/fw_cfg, "Register Locations", "Guest-side DMA Interface". The two sums are filled in, and
; the stack's place, when a machine is built (machine/firmware_items.c).
bits 16
org 0

SELECTOR equ 0x510              ; fw_cfg; its data port follows
DMA      equ 0x518              ; lower half of a request's address, which begins it
SELECT_AND_READ equ 0x0A
NOT_DONE equ 0xFEFFFFFF         ; of a request's control word: all but the bit for errors

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

; One part of the kernel. CS:SI: its keys; SI is at the next part's afterwards. The request stands on
; the stack, whose segment is 0, and is in big endian.
copy:   cs lodsw
        call number
        bswap eax
        push eax                ; address, lower half
        push dword 0
        cs lodsw
        call number
        bswap eax
        push eax                ; length
        cs lodsw
        shl eax, 16
        mov ax, SELECT_AND_READ
        bswap eax
        push eax                ; control
        movzx ebp, sp
        mov eax, ebp
        bswap eax
        mov dx, DMA
        out dx, eax
.wait:  pause
        test dword [bp], NOT_DONE
        jnz .wait
        add sp, 16
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

        times 511 - ($ - $$) db 0
        db 0                    ; BOOT_ROM_SUM
end:
