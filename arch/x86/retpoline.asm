; Indirect branches by way of a return (RETPOLINE=1): for CPUs that IBRS does not help, as they lack
; microcode for it. What the processor predicts of the RET is the trap before it, which it has just
; been told by the CALL, and not what a guest has trained.
; GCC's -mindirect-branch=thunk-extern calls these by name. Source: Intel's "Retpoline: A Branch
; Target Injection Mitigation". On CPUs with RRSBA, and on Skylake with a deep stack, a RET may be
; predicted otherwise: there IBRS is what helps.

bits 64

section .text

%macro thunk 1
global __x86_indirect_thunk_%1
__x86_indirect_thunk_%1:
    call %%over
%%trap:
    pause
    lfence
    jmp %%trap
%%over:
    mov [rsp], %1
    ret
%endmacro

thunk rax
thunk rbx
thunk rcx
thunk rdx
thunk rsi
thunk rdi
thunk rbp
thunk r8
thunk r9
thunk r10
thunk r11
thunk r12
thunk r13
thunk r14
thunk r15

section .note.GNU-stack noalloc noexec nowrite progbits
