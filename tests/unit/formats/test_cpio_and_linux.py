# SPDX-License-Identifier: Apache-2.0
"""cpio archives, compressed streams, PE and kernel headers from builders after specifications."""

import pytest

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.compression.decompress import decompress
from liveos.formats.compression.streams import SourceStream
from liveos.formats.cpio import CpioReader
from liveos.formats.programs.linux import read_kernel
from liveos.formats.programs.pe import Role, read_pe
from liveos.medium.initramfs import read_initramfs
from tests.unit.formats import builders

_FILES = {
    "early_cpio": b"1",
    "usr/lib/dracut/dracut-112-1": b"",
    "usr/lib/dracut/modules.txt": b"base\nkiwi-live\nsystemd\n",
    "usr/lib/modules/7.2.1/modules.dep": b"x" * 1000,
}


def test_cpio_gives_names_and_contents() -> None:
    reader = CpioReader(SourceStream(MemorySource(builders.cpio(_FILES))))
    assert {member.name: reader.read(member.size) for member in reader} == _FILES


@pytest.mark.parametrize("packing", builders.PACKERS)
def test_initramfs_is_read_through_microcode_and_compression(packing: str) -> None:
    early = builders.cpio({"kernel/x86/microcode/AuthenticAMD.bin": b"m" * 5000}) + bytes(512)
    packed = early + builders.PACKERS[packing](builders.cpio(_FILES))
    contents = read_initramfs(MemorySource(packed))
    assert contents.dracut == "112-1"
    assert contents.modules == ("base", "kiwi-live", "systemd")
    assert contents.kernel == "7.2.1"
    assert contents.systemd
    assert contents.families == ("dracut", "kiwi-live")


@pytest.mark.parametrize("packing", builders.PACKERS)
def test_a_bomb_comes_in_small_pieces(packing: str) -> None:
    packed = builders.PACKERS[packing](bytes(20 << 20))
    assert max(map(len, decompress(MemorySource(packed)))) <= 8 << 20


@pytest.mark.parametrize("size", [b"ffffffff", b"zzzzzzzz", b"  000001"])
def test_cpio_numbers_that_lie_are_refused(size: bytes) -> None:
    raw = builders.cpio({"first": b"data"})
    raw = raw[:54] + size + raw[62:]
    with pytest.raises(FormatError):
        list(CpioReader(SourceStream(MemorySource(raw))))


def test_pe_roles_by_sections() -> None:
    mods = builders.grub_mods(["fat", "iso9660", "f2fs"], "/EFI/fedora")
    image = read_pe(MemorySource(builders.pe({".text": b"x", "mods": mods})))
    assert image.role is Role.GRUB
    assert image.grub is not None
    assert image.grub.modules == ("fat", "iso9660", "f2fs")
    assert image.grub.prefix == "/EFI/fedora"
    assert image.arch == "x64"


@pytest.mark.parametrize(
    ("machine", "arch"), [(0x14C, "ia32"), (0xAA64, "aa64"), (0x5064, "riscv64"), (0x9999, None)]
)
def test_pe_machines(machine: int, arch: str | None) -> None:
    assert read_pe(MemorySource(builders.pe({".text": b"x"}, machine))).arch == arch


@pytest.mark.parametrize(
    ("section", "role"),
    [
        ({".sdmagic": b"#### LoaderInfo: systemd-boot 257 ####"}, Role.SYSTEMD_BOOT),
        ({".sdmagic": b"#### LoaderInfo: systemd-addon ####", ".cmdline": b"q"}, Role.ADDON),
        ({".linux": b"MZ", ".initrd": b"x"}, Role.UKI),
        ({".data": "Enroll MOK".encode("utf-16-le")}, Role.MOK_MANAGER),
        ({".data": "BootOrder\0BOOT.CSV".encode("utf-16-le")}, Role.FALLBACK),
        ({".text": b"x"}, Role.OTHER),
    ],
)
def test_pe_roles(section: dict[str, bytes], role: Role) -> None:
    assert read_pe(MemorySource(builders.pe(section))).role is role


def test_kernel_version_is_in_the_boot_header() -> None:
    banner = "6.17.1-300.fc43.x86_64 (mock@x) #1 SMP"
    raw = builders.pe({".text": b"x"}, head=builders.bzimage_head(banner))
    kernel = read_kernel(MemorySource(raw))
    assert kernel.version == "6.17.1-300.fc43.x86_64"
    assert kernel.banner == banner
    assert kernel.has_efi_stub
    assert not kernel.is_signed
    assert read_pe(MemorySource(raw)).role is Role.KERNEL


def test_kernel_without_an_efi_stub() -> None:
    raw = b"\xea\x05\0\xc0" + builders.bzimage_head("2.6.27.5-117.fc10.i686 (x) #1") + bytes(4096)
    kernel = read_kernel(MemorySource(raw))
    assert kernel.version == "2.6.27.5-117.fc10.i686"
    assert not kernel.has_efi_stub


def test_what_is_no_kernel_is_refused() -> None:
    with pytest.raises(FormatError):
        read_kernel(MemorySource(bytes(4096)))
