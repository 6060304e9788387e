"""The tools around the hypervisor: what a person who calls them gets to see. No machine is booted
here but where it says so."""
import glob
import os
import re
import signal
import subprocess

import machine
import pexpect
import pytest
from bochs import Bochs
from qemu import Kvm, Qemu

from conftest import BOOT, BUILD, CAISSON, INITRD, PATIENCE, PROMPT, VMLINUZ, VTX, guest, image, menu_of

# A path below the build folder, as the tests and the tools write it; what stands for a name is cut.
JOINED = re.compile(r'\bBUILD, f?"([^"{]*)(?:", f?"([^"{]*))?')
WRITTEN = re.compile(r'(?:\{BUILD\}/|"build/)([^"{]*)()')
MADE_BY_USE = ("test-logs", "test-iso", "run-logs", "retpoline")
OF_OTHER_TARGETS = {"torture"}  # tools that no test calls


def make(*arguments):
    """What make prints; as if it had not been make that started the tests."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", "-s", *arguments], env=env, capture_output=True, text=True,
                          check=True).stdout


def opened_below_build():
    """{path: file that opens it}; a path that ends with / is all that is in that folder."""
    found = {}
    for source in glob.glob("tests/system/*.py") + glob.glob("tools/*"):
        if os.path.isdir(source) or os.path.samefile(source, __file__) or \
                os.path.basename(source) in OF_OTHER_TARGETS:
            continue
        with open(source, encoding="utf-8") as f:
            text = f.read()
            for first, second in JOINED.findall(text) + WRITTEN.findall(text):
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


# ---- tools/run and the checks of an image: one line, with the word at fault ----

def run(*arguments, **settings):
    return subprocess.run(["tools/run", *arguments], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=120, **settings)


@pytest.fixture(scope="module")
def iso():
    return image(*menu_of(guest("hello"), "console=com1 exit=shutdown"))


@pytest.mark.parametrize("words, told", [
    (["--cpu", "nosuch"], "run: --cpu nosuch: Bochs has corei7_skylake_x"),
    (["--emulator", "qemu", "--cpu", "nosuch,+vmx"], "run: --cpu nosuch,+vmx: QEMU does not know it"),
    (["--pcpus", "0"], "run: --pcpus 0: 1 to 15"),
    (["--pcpus", "16"], "run: --pcpus 16: 1 to 15"),
    (["--emulator", "qemu", "--pcpus", "99"], "run: --pcpus 99: 1 to 64"),
    (["--mem", "1"], "run: --mem 1: 64 to 2048 MiB"),
    (["--mem", "4096"], "run: --mem 4096: 64 to 2048 MiB"),
    (["--guest-mem", "64G"], "run: MEM=64G does not fit the machine's 512 MiB"),
    (["--pcpus", "two"], "run: --pcpus: two: want a number of CPUs, 1 to 64"),
    (["--mem", "1G"], "run: --mem: 1G: want MiB, 64 and more"),
    (["--seconds=-5"], "run: --seconds: -5: want seconds"),
    (["--emulator", "xen"], "run: --emulator: invalid choice: 'xen' (choose from"),
    (["--disk", "gone"], "run: --disk: Bochs has no IOMMU"),
    (["--emulator", "qemu", "--disk", "/"], "run: --disk /: it is no file"),
    (["--nosuch"], "run: unrecognized arguments: --nosuch"),
])
def test_run_refuses(iso, words, told):
    emulator = [] if "--emulator" in words else ["--emulator", "bochs"]
    done = run(iso, *emulator, *words)
    assert done.returncode == 2
    assert done.stderr.startswith(told) and done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_run_knows_the_cpus():
    for cpu in "max", "EPYC", "EPYC-Milan", "EPYC,-svm", "Skylake-Client":
        assert Qemu.no_cpu(cpu) is None
    assert all(Bochs.no_cpu(cpu) is None for cpu in Bochs.CPUS)


def test_run_refuses_images(tmp_path):
    text = tmp_path / "text"
    text.write_text("no image\n" * 10000)
    for path, why in (("/no/such/file", "there is no such file"), (str(tmp_path), "it is no file"),
                      (str(text), "it is no image of a CD, disk or stick")):
        done = run(path, "--emulator", "bochs")
        assert done.returncode == 2 and done.stderr.startswith(f"run: {path}: {why}")


@pytest.mark.skipif(not Kvm.missing(), reason="KVM that lends VT-x or AMD-V is here")
def test_run_without_kvm(iso):
    done = run(iso, "--emulator", "kvm")
    assert done.returncode == 2 and "no KVM that lends VT-x or AMD-V" in done.stderr


@pytest.mark.parametrize("programs, best", [
    (["bochs", "qemu-system-x86_64"], machine.WITHOUT_KVM[0]),
    ([], machine.WITHOUT_KVM[0]),
    *(([machine.EMULATORS[name].PROGRAM], name) for name in machine.WITHOUT_KVM),
])
@pytest.mark.skipif(not Kvm.missing(), reason="KVM that lends VT-x or AMD-V is here")
def test_best_emulator(tmp_path, monkeypatch, programs, best):
    """One that is here goes before one that is not."""
    for program in programs:
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.best_emulator() == best


def test_run_asks_for_one_emulator_only(iso, tmp_path):
    """What `make run` has installed is the emulator that is to run."""
    (tmp_path / "tools").mkdir()
    deps = tmp_path / "tools/deps"
    deps.write_text("#!/bin/sh\necho wanted: $* >&2\nexit 1\n")
    deps.chmod(0o755)
    for emulator, group in ("qemu", "qemu"), ("kvm", "qemu"), ("bochs", "bochs"):
        done = subprocess.run([os.path.abspath("tools/run"), iso, "--install", "--emulator", emulator],
                              cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and done.stderr == f"wanted: {group}\n"
        packages = subprocess.run(["sed", "-n", f"s/^{group}://p", "tools/packages"], check=True,
                                  capture_output=True, text=True).stdout.split()
        assert ("bochs" in packages) == (group == "bochs") and "ovmf" in packages


def test_machines_choose_tests():
    """MACHINES= of `make system`; what pytest collects of a core test and of one for QEMU only."""
    def chosen(machines):
        said = subprocess.run(["/usr/bin/python3", "-m", "pytest", "--collect-only", "-q", "-p",
                               "no:cacheprovider", "tests/system/test_refusals.py"],
                              env={**os.environ, "MACHINES": machines}, capture_output=True,
                              text=True, check=True).stdout
        return set(re.findall(r"::test_unknown_option\[(\w+)\]", said))

    assert chosen("") == chosen("all") == {VTX, "qemu"}
    assert chosen("bochs") == {VTX} and chosen("qemu") == {"qemu"}


def test_run_to_the_end(iso, tmp_path):
    done = run(iso, "--emulator", "bochs", "--logs", str(tmp_path))
    assert done.returncode == 0 and "the machine is off" in done.stdout
    assert "Traceback" not in done.stderr


def test_run_says_what_the_emulator_said(iso, tmp_path):
    """One that does not start: its own words, and an exit code that a script can see."""
    bochs = tmp_path / "bochs"
    bochs.write_text("#!/bin/sh\necho the ROM has a hole >&2\nexit 1\n")
    bochs.chmod(0o755)
    env = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}")
    done = run(iso, "--emulator", "bochs", "--logs", str(tmp_path), env=env)
    assert done.returncode == 1
    assert "the ROM has a hole" in done.stderr and "Traceback" not in done.stderr


def test_run_says_that_qemu_is_gone(iso, tmp_path):
    """QEMU has taken our connections when it finds that it cannot start."""
    done = run(iso, "--emulator", "qemu", "--cpu", "i486sx", "--logs", str(tmp_path))
    assert done.returncode in (1, 2) and "i486sx" in done.stderr and "Traceback" not in done.stderr
    done = run(iso, "--emulator", "qemu", "--cpu", "max,+nosuch", "--logs", str(tmp_path))
    assert done.returncode == 1 and "nosuch" in done.stderr and "Traceback" not in done.stderr
    done = run(iso, "--emulator", "qemu", "--mem", "1000000", "--logs", str(tmp_path))
    assert done.returncode == 1 and "guest memory" in done.stderr and "Traceback" not in done.stderr


def emulators_of(logs):
    found = subprocess.run(["pgrep", "-f", rf"^bochs(-bin)? -q .*{logs}/"], capture_output=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def test_run_tells_a_death_from_an_end(iso, tmp_path):
    """An emulator that dies behind the first line of a machine has not been switched off."""
    with subprocess.Popen(["tools/run", iso, "--emulator", "bochs", "--logs", str(tmp_path)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as started:
        while "caisson: " not in (line := started.stdout.readline()):
            assert line, started.stderr.read()
        for pid in emulators_of(tmp_path):
            os.kill(pid, signal.SIGKILL)
        out, err = started.communicate(timeout=PATIENCE)
    assert started.returncode == 1 and "the emulator failed" in err and "is off" not in out


def test_run_ends_by_a_signal(iso, tmp_path):
    started = subprocess.Popen(["tools/run", iso, "--emulator", "bochs", "--logs", str(tmp_path)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    started.stdout.readline()
    started.terminate()
    out, err = started.communicate(timeout=60)
    assert started.returncode == 143 and err == "" and "left, and ended the machine" in out


def test_run_leaves_by_a_key(tmp_path):
    """Pressed twice it is the machine's, which goes on. Before that one says anything there are dots."""
    monitor = image(*menu_of([], "console=com1"))
    with pexpect.spawn("tools/run", [monitor, "--emulator", "bochs", "--logs", str(tmp_path)], encoding="utf-8",
                       timeout=PATIENCE) as terminal:
        terminal.expect(r"Ctrl-\] leaves\r\n\.")  # and is waiting
        terminal.send("\x1d\x1d")
        terminal.expect("caisson> ")
        terminal.send("\x1d")
        terminal.expect_exact("run: left, and ended the machine")


@pytest.mark.parametrize("word, told", [
    ("KERNEL=", "image: KERNEL=: names no file"),
    ("INITRD=README.md", "image: INITRD=README.md: no ramdisk"),
    ("OPTIONS=bogus=1", 'unknown option "bogus=1"'),
    ("VCPUS=0", '"vcpus=0": want 1 to 64'),
    ("TYPE=pv", '"type=pv": want hvm or pvh'),
    ("MEM=12", '"mem=12"'),
])
def test_image_refuses(word, told):
    whole = {"KERNEL": VMLINUZ, "INITRD": INITRD, "MEM": "256M", "VCPUS": "1", "TYPE": "hvm",
             "CMDLINE": "", "OPTIONS": "console=com1"}
    key, value = word.split("=", 1)
    whole[key] = value
    done = subprocess.run([f"{BUILD}/imagecheck", *(f"{k}={v}" for k, v in whole.items())],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and told in done.stderr
    assert done.stderr.splitlines()[-1] == "image: nothing was made"


# ---- What the documents tell to type ----

def code_behind(path, words):
    """The first indented block behind the line with these words."""
    with open(path, encoding="utf-8") as f:
        behind = f.read().partition(words)[2]
    block = re.search(r"(?:^    .*\n|^\n(?=    ))+", behind, re.M).group(0)
    return re.sub(r"^    ", "", block, flags=re.M).lstrip("\n")


def test_menu_entry_of_an_installed_debian(machine_of, tmp_path):
    """GRUB takes the file as docs/hardware.md has it, and the lines boot."""
    script = code_behind("docs/hardware.md", "/etc/grub.d/40_custom")
    assert script.startswith("#!/bin/sh\nexec tail -n +3 $0\n")
    path = tmp_path / "40_custom"
    path.write_text(script)
    path.chmod(0o755)
    entry = subprocess.run(["sh", str(path)], capture_output=True, text=True, check=True).stdout
    checked = subprocess.run(["grub-script-check"], input=entry, capture_output=True, text=True,
                             check=False)
    assert checked.returncode == 0, checked.stderr
    files = {"caisson.elf": CAISSON, "caisson-vmlinuz": VMLINUZ, "caisson-initrd.img": INITRD}
    assert set(re.findall(r"/boot/(\S+)", entry)) == set(files)
    m = machine_of(entry, files, emulator="qemu", mem=1024)
    m.expect_exact(PROMPT, timeout=BOOT)


def test_initrd_of_ones_own(tmp_path):
    """README's lines make an archive that has what they say."""
    script = code_behind("README.md", "An initrd of one's own")
    os.makedirs(tmp_path / "bin")
    env = dict(os.environ, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "bin/busybox").write_bytes(b"busybox")
    script = script.replace("/bin/busybox", str(tmp_path / "bin/busybox"))
    subprocess.run(["sh", "-e", "-c", script.partition("make run")[0]], cwd=tmp_path, env=env,
                   check=True, capture_output=True)
    listed = subprocess.run("zcat my-initrd.img | cpio -it", shell=True, cwd=tmp_path, text=True,
                            capture_output=True, check=True).stdout.split()
    assert {"init", "bin/busybox", "bin/sh"} <= set(listed)


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """Programs that go before those of this system: {name: shell script}."""
    def put(programs):
        for name, script in programs.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setenv("B", str(tmp_path))
    return put


def call(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


SLOW_APT = "sleep 2.5; echo 'E: 404  Not Found' >&2; exit 100"


def test_fetch_shows_progress(fakes, tmp_path):
    """A dot a second; what apt-get said if it fails, and what helps against old lists."""
    fakes({"apt-get": SLOW_APT, "apt-cache": "echo '  Depends: linux-image-9.9-cloud-amd64'"})
    code, out, err = call("tools/fetch-debian-kernel", str(tmp_path / "kernel"))
    assert code == 1 and re.fullmatch(r"fetching linux-image-9.9-cloud-amd64 \.{3,}\n", out)
    assert "404  Not Found" in err and "try apt-get update" in err
    fakes({"apt-cache": "exit 0"})
    assert call("tools/fetch-images", str(tmp_path / "kernel")) == (
        1, "", "fetch-images: apt knows of no xen-system-amd64; try apt-get update\n")


def test_deps_show_progress(fakes):
    fakes({"apt-get": SLOW_APT, "dpkg-query": "exit 1", "sudo": 'case $1 in -v) ;; *) exec "$@" ;; esac'})
    code, out, err = call("tools/deps", "build")
    assert code == 1 and re.fullmatch(r"deps: installing [^\n]*\n\.{3,}\n", out)
    assert "404  Not Found" in err and "deps: apt-get failed; all that it said is in " in err


def test_run_explains_itself():
    """Each option has a text, with its unit, and what is allowed."""
    said = subprocess.run(["tools/run", "--help"], capture_output=True, text=True, check=True).stdout
    options = re.split(r"\n  (?=-)", said.partition("\noptions:")[2])[1:]
    names = set(re.findall(r"--[a-z]+", said.partition("positional")[0]))
    assert len(options) == len(names) + 1  # and --help
    for option in options:
        assert re.search(r"\s{2,}\w+", option), option
    for word in (*Bochs.CPUS, "kvm", "qemu", "bochs", "1 to 64", "from 64; of Bochs at most 2048"):
        assert word in re.sub(r"\s+", " ", said), word


BAD_CALLS = [
    ("bench", "README.md docs"), ("bench", "gone gone"), ("profile", "README.md README.md"),
    ("linuxbench", ""), ("linuxbench", "a b c"), ("linuxbench", "README.md README.md README.md"),
    ("xlbench", ""), ("xlbench", "README.md docs README.md"),
    ("scaling", ""), ("scaling", "gone gone gone"), ("bootcost", ""), ("bootcost", "README.md README.md"),
    ("screenshots", ""), ("screenshots", "gone gone gone gone {out}"), ("specprice", "gone gone"),
    ("mkimage", "-o {out}/x --elf gone"), ("mkstick", "-o {out}/x --elf gone"),
    ("mkiso.py", "-o {out}/x --menu gone"), ("mkiso.py", "-o {out}/x --menu README.md word"),
    ("mkesp.py", "-o {out}/x a=gone"), ("mkesp.py", "-o {out}/x word"), ("mkinitrd", ""),
    ("vmlinux", ""), ("vmlinux", "README.md {out}/x"), ("vmlinux", "gone {out}/x"),
    ("screen.py", ""), ("screen.py", "README.md"), ("bin2c", ""), ("bin2c", "a gone"),
    ("mkfont.py", ""), ("mkfont.py", "gone"), ("fetch-debian-kernel", "/proc/x"),
    ("fetch-debian-xen", "/proc/x"), ("fetch-debian-libvirt", "/proc/x"), ("mkcontrol", ""), ("mkcontrol", "{out}/x gone"),
    ("fetch-grub-pvh", "/proc/x"), ("coverage", "where gone"), ("unit", "--dir x --result /proc/x x"),
]


@pytest.mark.parametrize("tool, words", BAD_CALLS)
def test_no_traceback(tool, words, tmp_path):
    """Whatever a tool is given, what it says names what is wrong; and it is no success."""
    done = subprocess.run([f"tools/{tool}", *words.format(out=tmp_path).split()], text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and said.strip() and "Traceback" not in said, said
