"""The tools around the hypervisor: what a person who calls them gets to see. No machine is booted
here but where it says so."""
import glob
import os
import re
import subprocess

# A path below the build folder, as the tests and the tools write it; what stands for a name is cut.
BELOW_BUILD = re.compile(r'(?:\bBUILD, f?"|\{BUILD\}/|"build/)([^"{]*)(?:", f?"([^"{]*))?')
MADE_BY_USE = ("test-logs", "test-iso", "run-logs")


def make(*arguments):
    """What make prints; as if it had not been make that started the tests."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", "-s", *arguments], env=env, capture_output=True, text=True,
                          check=True).stdout


def opened_below_build():
    """{path: file that opens it}; a path that ends with / is all that is in that folder."""
    found = {}
    for source in glob.glob("tests/system/*.py") + glob.glob("tools/*"):
        if os.path.isdir(source) or os.path.samefile(source, __file__):
            continue
        with open(source, encoding="utf-8") as f:
            for first, second in BELOW_BUILD.findall(f.read()):
                found[os.path.join(first, second) if second else first] = source
    return {path: source for path, source in found.items() if path not in MADE_BY_USE}


def test_system_needs_all_that_tests_open():
    """On a fresh machine `make system` builds every file that a test opens."""
    needs = {need.removeprefix("build/")
             for need in make("B=build", "--eval", "needs:; @echo $(SYSTEM_NEEDS)", "needs").split()}
    folders = {os.path.dirname(need) for need in needs} | ({"rel"} if "release" in needs else set())
    opened = opened_below_build()
    assert {"caisson.efi", "initrd.img", "debian/vmlinuz", "guest/hog.elf"} <= opened.keys()
    assert {path: source for path, source in opened.items()
            if path not in needs and path.rstrip("/") not in folders} == {}


def test_ci_builds_nothing_beforehand():
    """CI sees what somebody sees who does as README.md says: the tests, then the lint."""
    with open(".ci/run", encoding="ascii") as f:
        commands = re.findall(r"^(?!#).*?\b(make\b[^|;\n]*)", f.read(), re.M)
    assert [c.strip() for c in commands] == ["make test", "make lint"]
