; void virt_fill_return_stack(void), to C's rules: before another domain's vCPU runs here.

bits 64
default rel

%include "virt/guard.inc"

global virt_fill_return_stack

section .text

virt_fill_return_stack:
    mov ecx, 16
    fill_return_stack
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
