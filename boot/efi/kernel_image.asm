; caisson.elf, stripped, inside caisson.efi. The Makefile names the file.

section .rodata align=16
global kernel_image
kernel_image:
        incbin KERNEL
