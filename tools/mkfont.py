#!/usr/bin/python3
"""Prints the letters of drivers/font.txt as a C array: mkfont FILE."""
import sys

import usage

WIDTH, HEIGHT, TO_A_BAND = 8, 16, 8


def bands(path):
    """The picture's lines, HEIGHT at a time."""
    with open(path, encoding="ascii") as f:
        lines = [line.split() for line in f if set(line) & set(".") and line[:2] != "# "]
    return [lines[i:i + HEIGHT] for i in range(0, len(lines), HEIGHT)]


def glyphs(path):
    """Each letter as HEIGHT numbers, bit 7 the leftmost pixel."""
    for band in bands(path):
        for n in range(TO_A_BAND):
            rows = [line[n] for line in band]
            if len(band) != HEIGHT or any(len(r) != WIDTH or set(r) - set("#.") for r in rows):
                sys.exit(f"mkfont: {path}: a letter is not {WIDTH}x{HEIGHT} of # and .")
            yield [int(r.replace("#", "1").replace(".", "0"), 2) for r in rows]


def main(path):
    print("/* Generated; do not edit. */")
    print('#include "drivers/font.h"')
    print("const uint8_t font_glyphs[FONT_GLYPHS][FONT_HEIGHT] = {")
    for rows in glyphs(path):
        print("    { " + ", ".join(f"0x{r:02x}" for r in rows) + " },")
    print("};")


if __name__ == "__main__":
    usage.run(main, sys.argv[1:])
