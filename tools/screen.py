#!/usr/bin/python3
"""Reads a picture of Caisson's framebuffer console back as text: screen.py PICTURE.ppm

The letters are those of drivers/font.txt, found pixel by pixel: a cell that shows anything else
comes out as U+FFFD, and the cursor's bar under a blank as U+2581.
"""
import os
import sys

import mkfont
import usage

FONT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../drivers/font.txt")
STRANGE, CURSOR = "\ufffd", "\u2581"


def doubled(rows):
    """A letter at twice the size, as lists of bits; see drivers/font.c for the rule."""
    def at(x, y):
        return rows[y][x] if 0 <= x < len(rows[0]) and 0 <= y < len(rows) else 0

    def pixel(x, y):
        dx, dy = (1 if x % 2 else -1), (1 if y % 2 else -1)
        x, y = x // 2, y // 2
        side, near = at(x + dx, y), at(x, y + dy)
        if side == near and side != at(x, y - dy) and near != at(x - dx, y):
            return near
        return rows[y][x]
    return [[pixel(x, y) for x in range(2 * len(rows[0]))] for y in range(2 * len(rows))]


def enlarged(rows, zoom):
    if zoom == 1:
        return rows
    times = zoom // 2
    return [[bit for bit in row for _ in range(times)] for row in doubled(rows)
            for _ in range(times)]


def letters(zoom):
    """{bytes of a cell, one a pixel, 0 or 1: character}"""
    found = {}
    for n, rows in enumerate(mkfont.glyphs(FONT)):
        bits = [[row >> (mkfont.WIDTH - 1 - x) & 1 for x in range(mkfont.WIDTH)] for row in rows]
        cell = b"".join(bytes(row) for row in enlarged(bits, zoom))
        found[cell] = chr(ord(" ") + n) if n < 95 else STRANGE
    width, bar = mkfont.WIDTH * zoom, (mkfont.HEIGHT - 2) * zoom
    blank = [bytes(width)] * (mkfont.HEIGHT * zoom)
    blank[bar:bar + zoom] = [b"\1" * width] * zoom
    found[b"".join(blank)] = CURSOR
    return found


def read_ppm(path):
    """Width, height, and a byte for each pixel: 0 black, 1 Caisson's grey, 2 anything else."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:2] != b"P6":
        raise RuntimeError(f"{path}: this is no picture of the kind P6 (ppm)")
    magic, width, height, depth, pixels = data.split(None, 4)[:4] + [None]
    pixels = data[len(data) - int(width) * int(height) * 3:]
    assert magic == b"P6" and depth == b"255"
    red, green, blue = pixels[0::3], pixels[1::3], pixels[2::3]
    if red != green or green != blue:
        return int(width), int(height), bytes(len(red)).replace(b"\0", b"\2")
    # 16 bits a pixel have not quite the same grey.
    shade = bytes(0 if v == 0 else 1 if 0xA0 <= v <= 0xB0 else 2 for v in range(256))
    return int(width), int(height), red.translate(shade)


def text_of(path):
    """The console's lines, without the blanks at their ends."""
    width, height, pixels = read_ppm(path)
    zoom = 4 if width >= 3840 else 2 if width >= 1920 else 1
    across, down, known = mkfont.WIDTH * zoom, mkfont.HEIGHT * zoom, letters(zoom)
    lines = []
    for top in range(0, height - down + 1, down):
        rows = [pixels[(top + y) * width:(top + y + 1) * width] for y in range(down)]
        cells = (b"".join(row[x:x + across] for row in rows)
                 for x in range(0, width - across + 1, across))
        lines.append("".join(known.get(cell, STRANGE) for cell in cells).rstrip())
    return lines


def main(picture):
    print("\n".join(text_of(picture)).rstrip())


if __name__ == "__main__":
    usage.run(main, sys.argv[1:])
