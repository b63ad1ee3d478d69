# SPDX-License-Identifier: Apache-2.0
"""PE images against sbverify and objdump; GRUB images against grub-mkimage."""

import re
import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource
from liveos.formats.programs.linux import read_kernel
from liveos.formats.programs.pe import PeImage, Role, read_pe
from tests.tools.formats.isos import run

DEBIAN = pytest.mark.skipif(
    not Path("/etc/debian_version").exists(), reason="the signed loaders are those of Debian"
)
pytestmark = [pytest.mark.tools, DEBIAN]

_SHIM = Path("/usr/lib/shim")
_GRUB = Path("/usr/lib/grub")
_ROLES = {
    _SHIM / "shimx64.efi.signed": Role.SHIM,
    _SHIM / "mmx64.efi.signed": Role.MOK_MANAGER,
    _SHIM / "fbx64.efi.signed": Role.FALLBACK,
    _GRUB / "x86_64-efi-signed/gcdx64.efi.signed": Role.GRUB,
    _GRUB / "x86_64-efi-signed/grubx64.efi.signed": Role.GRUB,
}


def _read(path: Path) -> PeImage:
    with FileSource(path) as source:
        return read_pe(source)


@pytest.mark.parametrize("path", _ROLES, ids=lambda path: path.name)
def test_roles(path: Path) -> None:
    image = _read(path)
    assert image.role is _ROLES[path]
    assert image.arch == "x64"


@pytest.mark.parametrize("path", _ROLES, ids=lambda path: path.name)
def test_signers_are_what_sbverify_lists(path: Path) -> None:
    said = run("sbverify", "--list", path)
    issuers = re.findall(r"issuers:\n - .*CN=(.*)", said)
    # sbverify lists all certificates of a signature; the signer's is the first.
    signers = re.findall(r"certificates:\n - subject: .*CN=(.*)", said)
    found = _read(path).signatures
    assert [signature.signer for signature in found] == signers
    assert [signature.issuer for signature in found] == issuers


def test_an_unsigned_image_has_no_signers() -> None:
    assert _read(_SHIM / "shimx64.efi").signatures == ()


@pytest.mark.parametrize("path", _ROLES, ids=lambda path: path.name)
def test_sections_and_sbat_are_what_objdump_shows(path: Path, tmp_path: Path) -> None:
    image = _read(path)
    rows = re.findall(r"(?m)^ +\d+ (\S+) +([0-9a-f]{8}) +\S+ +\S+ +([0-9a-f]{8})", run(
        "objdump", "-h", path
    ))  # fmt: skip
    expected = [(name, int(offset, 16), int(size, 16)) for name, size, offset in rows]
    assert [(section.name, section.offset, section.size) for section in image.sections] == expected
    run("objcopy", "-O", "binary", "--only-section=.sbat", path, tmp_path / "sbat")
    lines = (tmp_path / "sbat").read_bytes().split(b"\0")[0].decode().split()
    entries = [",".join(line.split(",")[:2]) for line in lines if re.match(r"[\w.]+,\d", line)]
    assert list(image.sbat) == entries
    assert entries[0] == "sbat,1"


def _with_dependencies(platform: str, modules: set[str]) -> set[str]:
    """What grub-mkimage adds, from the table that it reads itself."""
    table = {}
    for line in (_GRUB / platform / "moddep.lst").read_text().splitlines():
        name, _, needs = line.partition(":")
        table[name] = set(needs.split())
    while more := set().union(*(table.get(module, set()) for module in modules)) - modules:
        modules = modules | more
    return modules


@pytest.mark.parametrize(("platform", "arch"), [("x86_64-efi", "x64"), ("i386-efi", "ia32")])
def test_grub_modules_are_those_that_were_built_in(
    platform: str, arch: str, tmp_path: Path
) -> None:
    modules = {"fat", "iso9660", "search", "linux", "configfile", "regexp"}
    path = tmp_path / "grub.efi"
    config = tmp_path / "early.cfg"
    config.write_text("search --set=root --file /boot/0x1234\n")
    command = ("grub-mkimage", "-O", platform, "-p", "/boot/grub2", "-c", config, "-o", path)
    run(*command, *sorted(modules))
    image = _read(path)
    assert image.role is Role.GRUB
    assert image.arch == arch
    assert image.signatures == ()
    assert image.grub is not None
    assert set(image.grub.modules) == _with_dependencies(platform, modules)
    assert image.grub.prefix == "/boot/grub2"
    assert image.grub.config == config.read_text()


def test_little_of_a_large_image_is_read() -> None:
    path = _GRUB / "x86_64-efi-signed/gcdx64.efi.signed"
    with FileSource(path) as source:
        read_pe(source)
        assert source.bytes_read < source.size / 10


def test_a_unified_kernel_image_is_told_by_its_sections(tmp_path: Path) -> None:
    uki, uname = tmp_path / "uki.efi", tmp_path / "uname"
    uname.write_text("6.12.1-300.fc42.x86_64")
    subprocess.run(
        [
            "objcopy",
            f"--add-section=.uname={uname}", "--change-section-vma=.uname=0x1000000",
            f"--add-section=.linux={_SHIM / 'mmx64.efi'}",
            "--change-section-vma=.linux=0x2000000",
            _SHIM / "fbx64.efi", uki,
        ],
        check=True,
    )  # fmt: skip
    assert _read(uki).role is Role.UKI
    kernel = read_kernel(FileSource(uki))
    assert kernel.version == "6.12.1-300.fc42.x86_64"
    assert kernel.has_efi_stub
    assert not kernel.is_signed
