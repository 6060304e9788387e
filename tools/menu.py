"""Menu entries for GRUB, and the same lines for caisson.cfg, as the images of ours have them."""
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=,./:_-+@%")


def quote_word(word):
    """So that GRUB's shell and caisson.cfg both take it as it is: neither knows of anything special
    between single quotes, and a single quote goes between double ones."""
    if word and set(word) <= PLAIN:
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"


def quote(words):
    """Word by word, also where a guest would take several for one: GRUB puts quotes of its own around
    a word with blanks. Two blanks are an empty word between them."""
    words = words.strip(" ")
    return " ".join(quote_word(w) for w in words.split(" ")) if words else ""


def module(path, line):
    """A module2 line for a file below /boot."""
    return f"    module2 /boot/{path} {quote(line)}"


def body(options, modules):
    return "\n".join([f"    multiboot2 /boot/caisson.elf {quote(options)}".rstrip(), *modules]) + "\n"


def entry(title, options, modules):
    """With the word on GRUB's warning that mkiso.PREAMBLE has, where there is one, right behind it: GRUB
    asks the last line of an entry whether all is well, and that is to be a module's."""
    kernel, *rest = body(options, modules).splitlines()
    lines = [kernel, '    echo -n "$about_console"', *rest]
    return f"menuentry '{title}' {{\n" + "\n".join(lines) + "\n}\n"
