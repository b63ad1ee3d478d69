# SPDX-License-Identifier: Apache-2.0
"""Any bytes give a record or a `FormatError`: nothing else is raised, and it does not take long."""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveos.formats import partitions
from liveos.formats.binary import ByteSource, FormatError, MemorySource
from liveos.formats.compression.decompress import decompress
from liveos.formats.fat.reader import Fat
from liveos.formats.iso9660 import el_torito, isomd5
from liveos.formats.iso9660.reader import Iso9660
from liveos.formats.programs.linux import read_kernel
from liveos.formats.programs.pe import read_pe
from liveos.formats.tree import FileKind, FileTree
from liveos.medium.initramfs import read_initramfs
from tests.unit.formats import builders
from tests.unit.formats.samples import damaged, sample

_ISO = sample("live.iso")
_CPIO = builders.cpio(
    {"usr/lib/dracut/dracut-1": b"", "usr/lib/dracut/modules.txt": b"base\n", "x": b"1" * 99}
)
_GRUB = builders.pe({"mods": builders.grub_mods(["fat", "ext2"], "/p"), ".sbat": b"sbat,1\n"})
_LINUX = builders.pe({".text": b"x"}, head=builders.bzimage_head("6.1"))


def _read_tree(tree: FileTree) -> None:
    for node in islice(tree.walk(), 5000):
        if node.kind is FileKind.SYMLINK:
            tree.readlink(node)
        elif node.kind is FileKind.FILE:
            file = tree.open(node)
            file.read_at(0, min(file.size, 4096))


def _read_iso(source: ByteSource) -> None:
    iso = Iso9660(source)
    assert isinstance((iso.volume.label, iso.volume.uuid, iso.volume.created), tuple)
    _read_tree(iso)


def _read_fat(source: ByteSource) -> None:
    fat = Fat(source)
    assert fat.free_size >= 0
    assert fat.label != ""
    _read_tree(fat)


def _check_md5(source: ByteSource) -> None:
    implanted = isomd5.read(source)
    if implanted is not None:
        isomd5.check(source, implanted)


def _unpack(source: ByteSource) -> None:
    assert sum(map(len, islice(decompress(source), 100))) >= 0


# Each reader with a good image and the places in it that are worth damaging
_READERS: dict[str, tuple[Callable[[ByteSource], object], bytes, tuple[tuple[int, int], ...]]] = {
    "iso9660": (_read_iso, _ISO, ((32768, 34816), (34816, 65536))),
    "eltorito": (el_torito.read_catalogue, _ISO, ((34816, 36864), (36864, 65536))),
    "isomd5": (_check_md5, _ISO, ((32768, 34816), (32768 + 883, 32768 + 1100))),
    "fat12": (_read_fat, sample("fat12.img"), ((0, 90), (512, 2048), (6656, 14336))),
    "fat16": (_read_fat, sample("fat16.img"), ((0, 90), (2048, 4096), (64512, 70000))),
    "gpt": (partitions.read_table, sample("gpt.img"), ((440, 604), (1024, 1408))),
    "mbr": (partitions.read_table, sample("mbr.img"), ((440, 512), (1024 * 512 + 440, 1025 * 512))),
    "pe": (read_pe, sample("signed.efi"), ((0, 0x600), (0x800, 5200))),
    "grub": (read_pe, _GRUB, ((0x400, 0x600), (0x800, len(_GRUB)))),
    "linux": (read_kernel, _LINUX, ((0, 0x600),)),
    "initramfs": (read_initramfs, _CPIO, ((0, len(_CPIO)),)),
    **{
        f"unpack-{name}": (_unpack, pack(_CPIO), ((0, 64), (0, len(pack(_CPIO)))))
        for name, pack in builders.PACKERS.items()
    },
}


def _survives(read: Callable[[ByteSource], object], data: bytes) -> None:
    with suppress(FormatError):
        read(MemorySource(data))


@pytest.mark.parametrize("name", _READERS)
def test_the_good_image_is_read(name: str) -> None:
    read, good, _ = _READERS[name]
    read(MemorySource(good))


@pytest.mark.parametrize("name", _READERS)
@given(data=st.data())
@settings(max_examples=80)
def test_damaged_images(name: str, data: st.DataObject) -> None:
    read, good, places = _READERS[name]
    _survives(read, data.draw(damaged(good, *places)))


@pytest.mark.parametrize("name", _READERS)
@given(raw=st.binary(max_size=3000))
@settings(max_examples=30)
def test_arbitrary_bytes(name: str, raw: bytes) -> None:
    read, good, places = _READERS[name]
    _survives(read, raw)
    start = places[0][0]
    _survives(read, good[:start] + raw + good[start + len(raw) :])
