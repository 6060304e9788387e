; What the other vCPUs run, in real mode at the start of a page: they count within it.
global startup_code, startup_end

section .rodata
bits 16
startup_code:
        inc     dword [cs:0x100]        ; COUNTER of guest/board/startup.c
        pause                           ; who waits for this pCPU is to have it soon
        jmp     startup_code
startup_end:
