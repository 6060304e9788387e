/* links: decode/decode.c decode/decode_form.c tests/fakes/decode_oracle.c tests/fakes/panic.c libs: -lZydis */
/*
 * Fuzzes the instruction decoder against Zydis: the first byte is the mode, the rest the bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/fakes/decode_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool accepted;
    if (size < 1 || size > 16)
        return 0;
    const char *what = decode_oracle(data + 1, (unsigned)size - 1, data[0] % 3, &accepted);
    if (what) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
    return 0;
}
