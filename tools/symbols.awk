# Makes the symbol table of arch/x86/symbol.c from `nm -n` of a first link: text symbols only, as
# assembler source. Local labels of nasm (with a dot) are parts of a function, not names for one.
$2 ~ /^[tT]$/ && $3 !~ /[.$]/ && $1 != last {
    printf "    .pushsection .symbols.names,\"a\"\n%d: .asciz \"%s\"\n    .popsection\n", ++n, $3
    printf "    .quad 0x%s, %db\n", $1, n
    last = $1
}
BEGIN { print "    .section .symbols,\"a\"" }
END { print "    .section .note.GNU-stack,\"\",@progbits" }
