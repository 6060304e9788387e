"""The guests of our own, and what Caisson does when the last of them is gone."""
import pytest

from conftest import PATIENCE, Module, guest


@pytest.mark.parametrize("pcpus", [1, 4])
def test_hello(boot, pcpus):
    m = boot(modules=guest("hello"), emulator="bochs", pcpus=pcpus)
    m.expect(r"hello: this line went through a 16550\r\n")
    m.expect(r"hello: COM1 is at 0x3f8, and 639 KiB are below")
    m.expect(r"hello: this line went through a hypercall\r\n")
    m.expect(r"hello: \d+ ticks at \d+ Hz")
    m.expect(r"caisson: hello: powered off")
    m.expect_off()


def test_typed_at_full_speed(boot):
    """Bochs' line does not wait for who reads: a byte comes each 1,736 instructions, in which the guest cannot
    have read it and said it back, and none of 3,200 is lost."""
    m = boot(modules=guest("echo"), emulator="bochs", ips=20_000_000)
    m.expect_exact("echo: ready")
    lines = [f"{n:03}" + "x" * 76 for n in range(40)]
    m.send("".join(line + "\r" for line in lines))
    for line in lines:
        m.expect(r'echo: "(\w+)" at \d+ ms')
        assert m.match.group(1) == line


def test_boot_cpu_of_our_own(boot):
    """boot-cpu=own, as it is by itself in QEMU: domains run elsewhere, and who is to run there is refused."""
    m = boot(modules=guest("hello"), emulator="bochs", pcpus=2,
             options="console=com1 conswitch=ax exit=monitor boot-cpu=own")
    m.expect_exact("smp: guests run on the other CPUs, not on the boot CPU\r")
    m.expect_exact("hello: powered off")
    m.send("create name=no kernel=1 mem=2M cpus=0\rcreate name=yes kernel=1 mem=2M cpus=0-1\r")
    m.expect_exact("no: cpus= names no pCPU that runs guests")
    m.expect_exact("yes: powered off")
    m.send("poweroff\r")
    m.expect_off()


@pytest.mark.parametrize("mem", [64, 2048])
def test_hello_in_memory(boot, mem):
    m = boot(modules=guest("hello"), emulator="bochs", mem=mem)
    m.expect(r"caisson: hello: powered off")


@pytest.mark.anywhere
def test_what_firmware_leaves(boot):
    """A kernel without ACPI finds the other CPUs, which start and stop as they are told; in real mode
    the timer ticks and is heard, and the way to the reset vector resets the machine."""
    m = boot(modules=guest("board", mem="16M vcpus=3"))
    m.expect(r"board: the extended BIOS data area has 1 KiB\r\n")
    m.expect(r"board: MP pointers at 0x9fc10 and 0xff800\r\n")
    m.expect(r"board: MP table: 3 CPUs, 1 bus, 1 I/O APIC, 15 lines, 2 local, whole\r\n")
    m.expect(r"board: past all prefixes")
    m.expect(r"board: INIT and STARTUP: (\d+) of \1 right", timeout=2 * PATIENCE)
    m.expect(r"board: the timer ticks in real mode")
    m.expect(r"caisson: board: rebooted \(reset line\)")


def test_torture(boot):
    """No instruction, port, register or address that it tries stops Caisson."""
    m = boot(modules=guest("torture"))
    m.expect(r"torture: changing code: (\d+) of \1 right", timeout=10 * PATIENCE)
    m.expect(r"torture: survived", timeout=10 * PATIENCE)
    m.expect(r"caisson: torture: powered off")
    m.expect_off()


@pytest.mark.anywhere
def test_instructions_on_device_memory(boot):
    """From inside a guest: vectors, flags, strings and a stack, on a device and over the end of RAM."""
    m = boot(modules=guest("devmem"))
    m.expect(r"devmem: (\d+) of \1 right", timeout=2 * PATIENCE)
    m.expect(r"caisson: devmem: powered off")
    m.expect_off()


@pytest.mark.anywhere
def test_hardware_task_switches(boot):
    """JMP, CALL, IRET and gates, faults and NMIs whose handlers are tasks, vm86, a 16-bit TSS."""
    m = boot(modules=guest("tasks"))
    m.expect(r"tasks: (\d+) of \1 right", timeout=2 * PATIENCE)
    m.expect(r"caisson: tasks: powered off")
    m.expect_off()


def test_two_domains_one_broken(boot, tmp_path):
    """The other domains still start."""
    blob = tmp_path / "blob.bin"
    blob.write_bytes(b"nothing" * 1000)
    m = boot(modules=[Module(str(blob), "kernel name=broken mem=16M")] + guest("hello"))
    m.expect(r"error: [^\r\n]*broken")
    m.expect(r"caisson: hello: powered off")


def test_exit_halt(boot):
    m = boot(modules=guest("hello"), options="console=com1 exit=halt")
    m.expect(r"caisson: no domain left")
    m.expect(r"caisson: halted; the machine can be switched off")
    assert m.machine.running()


def test_exit_reboot(boot):
    m = boot(modules=guest("hello"), options="console=com1 exit=reboot")
    m.expect(r"caisson: no domain left")
    m.expect(r"Caisson, a hypervisor for x86-64")
    m.expect(r"caisson: hello: powered off")


def test_exit_shutdown(boot):
    m = boot(modules=guest("hello"), options="console=com1 exit=shutdown")
    m.expect(r"caisson: no domain left")
    m.expect_off()


@pytest.mark.core
def test_foreign_hypercall(boot):
    """The other maker's hypercall instruction is carried out; what is no instruction stays #UD."""
    m = boot(modules=guest("mayfly", words="foreign"))
    m.expect(r"mayfly: foreign: ([0-9a-f]+), as it is: \1\r\n")
    m.expect("mayfly: 1 invalid opcode")
