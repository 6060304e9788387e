/*
 * What Zydis makes of an instruction, compared with what decode/decode.c makes of it.
 */
#ifndef CAISSON_TESTS_FAKES_DECODE_ORACLE_H
#define CAISSON_TESTS_FAKES_DECODE_ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include "decode/decode.h"

/* NULL when the two agree about the count bytes: both refuse, or both accept and every member is
 * the same. Else what it is that differs. *accepted tells that our decoder took it. */
const char *decode_oracle(const uint8_t *bytes, unsigned count, enum decode_mode mode,
                          bool *accepted);

/* The name of an instruction that reaches memory, that our decoder refuses, and that
 * docs/guests.md does not leave out; NULL if it is none. Of VEX and its like nothing is said. */
const char *decode_forgotten(const uint8_t *bytes, unsigned count, enum decode_mode mode);

#endif
