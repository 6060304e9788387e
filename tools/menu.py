"""Menu entries for GRUB, and the same lines for caisson.cfg, as the images of ours have them."""
import sys

PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=,./:_-+@%")


def quote_word(word):
    """So that GRUB's shell and caisson.cfg both take it as it is."""
    if set(word) <= PLAIN:
        return word
    if "'" not in word:
        return f"'{word}'"
    if set(word) & set('"$`\\'):
        sys.exit(f"menu: this word cannot be quoted, sorry: {word}")
    return f'"{word}"'


def quote(words):
    return " ".join(quote_word(w) for w in words.split())


def module(path, line):
    """A module2 line for a file below /boot."""
    return f"    module2 /boot/{path} {quote(line)}"


def body(options, modules):
    return "\n".join([f"    multiboot2 /boot/caisson.elf {quote(options)}".rstrip(), *modules]) + "\n"


def entry(title, options, modules):
    return f"menuentry '{title}' {{\n{body(options, modules)}}}\n"
