"""Debian's unmodified libvirt in the control domain: what `virsh` does with a guest."""
import os
import re
import subprocess

import pexpect
import pytest

from conftest import ALL_SHAPES, BOOT, BUILD, PATIENCE, PROMPT as GUEST_PROMPT
from test_control import PROMPT, Control, domain_0

TOOLS = "control-libvirt.img"
VIRSH = "virsh -c xen:///system "


@pytest.fixture(scope="module", name="tools")
def fixture_tools():
    """The control domain's initramfs; only this test wants it, so nobody else downloads libvirt."""
    path = os.path.join(BUILD, "debian", TOOLS)
    subprocess.run(["make", path], check=True)
    return path


def virsh(c, words, **settings):
    return c.ask(VIRSH + words, timeout=PATIENCE, **settings)


def state(c):
    """Of each domain that libvirt lists, running or not."""
    return dict(re.findall(r"^ +\S+ +(\S+) +(\S[^\n]*?) *$", virsh(c, "list --all").partition("---\n")[2], re.M))


def talk(c):
    """The guest's console, and away from it. What is typed before it is connected is lost."""
    c.m.sendline(VIRSH + "console debian")
    c.m.expect_exact("Escape character")
    for _ in range(PATIENCE):
        c.m.sendline("")
        if c.m.expect_exact([GUEST_PROMPT, pexpect.TIMEOUT], timeout=5) == 0:
            break
    c.m.sendline("echo $((6 * 7))")
    c.m.expect_exact("42\r")
    c.m.send("\x1d")
    c.m.expect_exact(PROMPT)


@pytest.mark.alone
@pytest.mark.skipif(not ALL_SHAPES, reason="downloads libvirt, and takes minutes: SHAPES=all")
def test_virsh(boot, tools):
    m = boot(modules=domain_0(mem="768M", tools=tools), emulator="qemu", pcpus=2, mem=1280,
             options="console=com1 exit=shutdown")
    c = Control(m)
    c.ask("store oxenstored", timeout=BOOT)
    c.ask("virtd", timeout=5 * BOOT)
    assert state(c) == {"Domain-0": "running"}
    assert "Xen" in virsh(c, "version") and "x86_64" in virsh(c, "nodeinfo")
    virsh(c, "define /etc/xen/debian.xml")
    assert state(c) == {"Domain-0": "running", "debian": "shut off"}
    virsh(c, "start debian")
    assert state(c)["debian"] == "running"
    info = virsh(c, "dominfo debian")
    assert re.search(r"CPU\(s\): +2\n", info) and re.search(r"Max memory: +131072 KiB", info)
    talk(c)
    virsh(c, "save debian /saved")
    assert state(c)["debian"] == "shut off"
    virsh(c, "restore /saved")
    assert state(c)["debian"] == "running"
    talk(c)
    virsh(c, "suspend debian")
    assert state(c)["debian"] == "paused"
    virsh(c, "resume debian")
    virsh(c, "destroy debian")
    virsh(c, "undefine debian")
    assert state(c) == {"Domain-0": "running"}
