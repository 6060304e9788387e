"""The guests of our own."""
from conftest import guest


def test_hello(boot):
    m = boot(modules=guest("hello"))
    m.expect(r"(?i)hello")
    m.expect_off()


def test_two_domains_one_broken(boot, tmp_path):
    """The other domains still start."""
    from conftest import Module
    blob = tmp_path / "blob.bin"
    blob.write_bytes(b"nothing" * 1000)
    m = boot(modules=[Module(str(blob), "kernel name=broken mem=16M")] + guest("hello"))
    m.expect(r"error: [^\r\n]*broken")
    m.expect(r"(?i)hello")
