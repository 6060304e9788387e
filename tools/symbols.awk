# Makes the symbol table of arch/x86/symbol.c from `nm -n` of a first link: text symbols only, as
# assembler source. Local labels of nasm (with a dot) are parts of a function, not names for one.
# The first one is at the start of the text.
function common(a, b,    n) {
    while (n < length(a) && n < length(b) && substr(a, n + 1, 1) == substr(b, n + 1, 1))
        n++
    return n + 0
}
$2 ~ /^[tT]$/ && $3 !~ /[.$]/ && $1 != last {
    if (length($3) > 63) {
        print "symbols.awk: too long a name: " $3 > "/dev/stderr"
        exit 1
    }
    kept = common($3, name)
    printf "    .short 0x%s - 0x%s\n    .byte %d\n    .asciz \"%s\"\n", $1, last ? last : $1, kept, substr($3, kept + 1)
    last = $1
    name = $3
}
BEGIN { print "    .section .symbols,\"a\"" }
END { print "    .section .note.GNU-stack,\"\",@progbits" }
