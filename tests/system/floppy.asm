; A floppy's boot sector, by the services of a PC's firmware alone: writes a line with the size of
; conventional memory (INT 12h) and a word of the second sector (INT 13h), echoes one key (INT 16h), and
; writes to the text memory.
bits 16
org 0x7C00

        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7C00
        sti
        cld
        mov si, hello
        call print
        int 0x12
        call number
        mov ax, 0x0201          ; one sector
        mov cx, 2               ; the second
        xor dh, dh
        mov bx, 0x7E00
        int 0x13
        jc stop
        mov si, 0x7E00
        call print
        mov si, key
        call print
        xor ah, ah
        int 0x16
        push ax
        call print_char
        pop ax
        mov si, screen
        mov ax, 0xB800          ; past all services
        mov es, ax
        mov di, 4 * 160 + 2 * 10
        mov ah, 7
.text:  lodsb
        stosw
        cmp si, screen_end
        jne .text
        mov si, end
        call print
stop:   hlt
        jmp stop

; AX in decimal
number: push dx
        mov bx, 10
        xor cx, cx
.more:  xor dx, dx
        div bx
        push dx
        inc cx
        test ax, ax
        jnz .more
.out:   pop ax
        add al, '0'
        call print_char
        loop .out
        pop dx
        ret

print:  lodsb
        test al, al
        jz .end
        call print_char
        jmp print
.end:   ret

print_char:
        push bx
        mov ah, 0x0E
        mov bx, 7
        int 0x10
        pop bx
        ret

hello:  db "floppy: KiB below: ", 0
key:    db 13, 10, "floppy: a key: ", 0
end:    db 13, 10, "floppy: done", 13, 10, 0
screen: db "floppy: on the screen", 1
screen_end:

        times 510 - ($ - $$) db 0
        dw 0xAA55
        db 13, 10, "floppy: this is sector 2", 0
        times 163840 - ($ - $$) db 0
