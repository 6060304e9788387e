"""What the user of a real machine sees and types: the screen's very pixels, PS/2, no serial port.

The machines can run no guests, so Caisson ends at the refusal, and then in the monitor.
"""
import time

import pytest

import screen
from conftest import PATIENCE, WITHOUT, menu_of

REFUSAL = "caisson: error: Caisson cannot run guests on this machine"
BOTH = "console=com1 console=vga"


def shown(m):
    """The screen's lines, whichever kind of screen it is."""
    if m.firmware == "uefi":
        path = m.logs + "/screen.ppm"
        m.screendump(path)
        return screen.text_of(path)
    cells = m.memory(0xB8000, 80 * 25 * 2)[::2].decode("cp437")
    return [cells[i:i + 80].rstrip() for i in range(0, len(cells), 80)]


def wait_for(m, word, seconds=PATIENCE):
    """The screen's lines as soon as one has this word in it."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        lines = shown(m)
        if any(word in line for line in lines):
            return lines
        time.sleep(0.3)
    pytest.fail(f"no {word!r} on the screen:\n" + "\n".join(lines))


@pytest.mark.parametrize("firmware, shape, pcpus, mem", [
    ("uefi", "q35", 4, 64), ("bios", "pc", 4, 64),
])
def test_screen_and_keyboard(boot, firmware, shape, pcpus, mem):
    """Serial port and screen show the same, and keys of either drive the monitor."""
    m = boot(firmware=firmware, shape=shape, pcpus=pcpus, mem=mem, options=BOTH, **WITHOUT)
    m.expect_exact(REFUSAL)
    log = [line for line in (m.before + REFUSAL).replace("\r", "").split("\n")
           if line.startswith("caisson: ")]
    m.expect_exact("caisson> ")
    lines = wait_for(m.machine, "caisson>")
    for line in log:
        assert line[:80].rstrip() in [seen[:80].rstrip() for seen in lines]
    m.machine.press("h", "e", "l", "p", "spc", "m", "e", "m", "ret")
    m.expect_exact("help mem")
    m.expect_exact("the machine's memory")
    lines = wait_for(m.machine, "the machine's memory")
    assert any("] caisson> help mem" in line for line in lines)
    m.sendline("help list")
    wait_for(m.machine, "memory in use and promised")
    m.machine.press("shift-f", "o", "minus", "o", "ret")
    m.expect_exact("Fo-o")
    m.machine.press(*"poweroff", "ret")
    m.expect_off()


def test_without_serial_port(machine_of):
    """All by screen and keyboard; the screen is large, so the letters are."""
    menu, files = menu_of([], "console=com1 console=vga")
    menu = menu.replace("multiboot2", "set gfxpayload=1920x1080x32\nmultiboot2", 1)
    m = machine_of(menu, files, firmware="uefi", shape="pc", mem=8192, serial=False, **WITHOUT)
    lines = wait_for(m, "caisson>")
    assert REFUSAL in lines
    assert any("framebuffer of 1920x1080, 32 bits" in line for line in lines)
    assert "caisson: warning: console: no serial port at COM1" in lines
    m.press(*"poweroff", "ret")
    assert m.wait(PATIENCE)


def test_without_ps2(boot):
    """No keyboard is no fault, and costs no time."""
    m = boot(shape="q35,i8042=off", mem=8192, options=BOTH, **WITHOUT)
    m.expect_exact("caisson> ")
    m.sendline("poweroff")
    m.expect_off()
