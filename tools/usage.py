"""How a tool ends: with main()'s result, or with one line that names the tool and what is at fault.
What people pass is no reason for a traceback."""
import inspect
import os
import subprocess
import sys


def told(e):
    """One line for an exception."""
    if isinstance(e, subprocess.CalledProcessError):
        said = e.stderr.decode(errors="replace") if isinstance(e.stderr, bytes) else e.stderr or ""
        return f"{e.cmd[0]} failed: {' '.join(said.split()) or e.returncode}"
    if isinstance(e, OSError) and e.filename:
        return f"{e.filename}: {e.strerror}"
    return " ".join(str(e).split()) or type(e).__name__


def want(path, what):
    """Raises what run() tells, unless the file is of that kind."""
    at, magic = {"ELF file": (0, b"\x7fELF"), "bzImage": (0x202, b"HdrS")}[what]
    with open(path, "rb") as f:
        f.seek(at)
        if f.read(len(magic)) != magic:
            raise RuntimeError(f"{path}: this is no {what}")


def pairs(words, parser):
    """{PATH: FILE} of words like PATH=FILE."""
    for word in words:
        if "=" not in word:
            parser.error(f"{word}: want PATH=FILE")
    return dict(word.split("=", 1) for word in words)


def run(main, arguments=()):
    """Calls main(*arguments) and ends."""
    name = os.path.basename(sys.argv[0])
    wanted = inspect.signature(main)
    try:
        wanted.bind(*arguments)
    except TypeError:
        sys.exit(f"{name}: wants: " + " ".join(p.upper() if v.default is v.empty else f"[{p.upper()}]"
                                               for p, v in wanted.parameters.items()))
    try:
        code = main(*arguments)
    except KeyboardInterrupt:
        sys.exit(f"\n{name}: ended from outside")
    except (OSError, RuntimeError, EOFError, subprocess.SubprocessError) as e:
        sys.exit(f"{name}: {told(e)}")
    sys.exit(code)
