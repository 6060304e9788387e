"""What a real machine brings, as far as QEMU plays it: its ends, its report, its errors."""
import pytest


@pytest.mark.parametrize("shape", ["pc", "q35"])
def test_reboot_host(boot, shape):
    m = boot(emulator="qemu", shape=shape, options="console=com1")  # ends with -no-reboot
    m.expect_exact("caisson> ")
    m.sendline("reboot-host")
    m.expect_exact("rebooted by the operator")
    m.expect_off()
