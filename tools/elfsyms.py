"""The functions of an ELF file, by name and by address."""
import bisect
import subprocess


class Functions:
    def __init__(self, path):
        text = subprocess.run(["nm", "-n", path], capture_output=True, text=True, check=True).stdout
        fields = (line.split() for line in text.splitlines())
        # Labels within a function of nasm's, and pieces that a compiler cut off, belong to it.
        found = [(int(f[0], 16), f[2].split(".")[0]) for f in fields
                 if len(f) == 3 and f[1] in "tT"]
        self.addresses, self.names = zip(*found)

    def address(self, name):
        return self.addresses[self.names.index(name)]

    def at(self, address):
        i = bisect.bisect(self.addresses, address)
        return self.names[i - 1] if i else "?"
