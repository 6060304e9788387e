"""What Caisson cannot do it says in one clear line, and nothing worse happens."""
import pytest

from conftest import NO_VIRT, VMLINUZ, WITHOUT, Module, linux


@pytest.mark.parametrize("cpu", ["max,-svm", "EPYC,-svm", "Skylake-Client"])
def test_no_virtualization(boot, cpu):
    m = boot(**{**WITHOUT, "cpu": cpu})
    m.expect(NO_VIRT)


def test_no_ept(boot):
    m = boot(emulator="bochs", cpu="core2_penryn_t9600")
    m.expect(r"error: VT-x: this CPU lacks [^\r\n]*, which Caisson needs")
    assert "EPT" in m.after or "secondary" in m.after


def test_no_module(boot):
    m = boot()
    m.expect(r"(?i)caisson: [^\r\n]*\b(no domain|no kernel|no module|nothing to run)")


@pytest.mark.core
def test_unknown_option(boot):
    m = boot(options="console=com1 frobnicate=7")
    m.expect(r"warning: [^\r\n]*frobnicate")


@pytest.mark.core
def test_bad_value_of_option(boot):
    m = boot(options="console=com1 loglevel=loud")
    m.expect(r"warning: [^\r\n]*loud")


@pytest.mark.parametrize("words, fault", [
    ("kernel name=a mem=16M colour=red", "colour"),
    ("kernel name=a mem=lots", "lots"),
    ("kernel name=a mem=16M vcpus=0", "vcpus"),
    ("ramdisk name=nobody", "nobody"),
    ("gremlin name=a", "gremlin"),
])
def test_bad_module_line(boot, tmp_path, words, fault):
    blob = tmp_path / "blob.bin"
    blob.write_bytes(b"not an image" * 100)
    m = boot(modules=[Module(str(blob), words)])
    m.expect(rf"(error|warning): [^\r\n]*{fault}")


def test_unknown_image(boot, tmp_path):
    blob = tmp_path / "blob.bin"
    blob.write_bytes(bytes(range(256)) * 64)
    m = boot(modules=[Module(str(blob), "kernel name=broken mem=16M")])
    m.expect(r"error: broken: the kernel is neither [^\r\n]*\r\n")
    m.expect_off()
    assert "error" not in m.before, m.before  # one line


def test_cut_kernel(boot, tmp_path):
    """A bzImage that ends in the middle."""
    part = tmp_path / "vmlinuz.part"
    with open(VMLINUZ, "rb") as f:
        part.write_bytes(f.read(100_000))
    m = boot(modules=[Module(str(part), "kernel name=cut mem=128M")])
    m.expect(r"error: [^\r\n]*cut")


def test_too_little_memory_for_the_domain(boot):
    m = boot(modules=linux(name="small", mem="4M"))
    m.expect(r"error: [^\r\n]*small")


def test_too_little_memory_in_the_machine(boot):
    m = boot(modules=linux(name="large", mem="4G"), mem=256)
    m.expect(r"error: [^\r\n]*large")
