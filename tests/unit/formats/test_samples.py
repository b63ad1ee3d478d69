# SPDX-License-Identifier: Apache-2.0
"""The readers on samples that other programs wrote and described."""

import hashlib

import pytest

from liveos.formats import partitions
from liveos.formats.binary import MemorySource
from liveos.formats.fat.reader import Fat
from liveos.formats.iso9660 import el_torito, isomd5
from liveos.formats.iso9660.reader import Iso9660
from liveos.formats.programs.pe import Role, read_pe
from liveos.formats.tree import FileKind, FileTree
from tests.unit.formats.samples import facts, poked, sample


def _sums(tree: FileTree) -> dict[str, str]:
    return {
        node.path: hashlib.sha256(tree.open(node).read_at(0, node.size)).hexdigest()
        for node in tree.walk()
        if node.kind is FileKind.FILE
    }


def test_iso_holds_the_files_that_were_put_in() -> None:
    iso = Iso9660(MemorySource(sample("live.iso")))
    expected = facts("live.iso")
    sums = _sums(iso)
    assert sums.pop("/images/eltorito.img")
    assert sums == expected["files"]
    assert iso.volume.label == expected["label"]
    assert iso.volume.uuid == expected["uuid"]
    link = iso.lookup("/link")
    assert link is not None
    assert iso.readlink(link) == expected["link"]


def test_iso_boots_as_xorriso_reports() -> None:
    source = MemorySource(sample("live.iso"))
    platforms = {el_torito.Platform.X86: "BIOS", el_torito.Platform.UEFI: "UEFI"}
    found = [
        [
            platforms[el_torito.Platform(image.platform)],
            "y" if image.bootable else "n",
            str(image.size // 512),
            str(image.lba),
        ]
        for image in el_torito.read_catalogue(source)
    ]
    assert found == facts("live.iso")["boot_images"]
    assert el_torito.read_hybrid_code(source) is el_torito.HybridCode.GRUB


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_fat_holds_the_files_that_were_put_in(bits: int) -> None:
    fat = Fat(MemorySource(sample(f"fat{bits}.img")))
    expected = facts(f"fat{bits}.img")
    assert fat.geometry.bits == bits
    assert _sums(fat) == expected["files"]
    assert fat.label == expected["label"]
    assert fat.geometry.serial == expected["uuid"]
    assert fat.free_size == expected["free"]
    assert fat.lookup("/efi/boot/bootx64.efi") == fat.lookup("/EFI/BOOT/BOOTX64.EFI") is not None


@pytest.mark.parametrize("name", ["gpt.img", "mbr.img", "live.iso"])
def test_partitions_are_what_sfdisk_says(name: str) -> None:
    table = partitions.read_table(MemorySource(sample(name)))
    expected = facts(name)["partitions"]
    assert table is not None
    assert table.damage is None
    assert table.id == expected["id"]
    found = [
        (entry.number, entry.type, entry.offset, entry.size, entry.name)
        for entry in table.partitions
    ]
    assert found == [
        (part["number"], part["type"], part["start"] * 512, part["size"] * 512, part.get("name"))
        for part in expected["partitions"]
    ]


def test_signed_image_names_its_signer() -> None:
    image = read_pe(MemorySource(sample("signed.efi")))
    assert [signature.signer for signature in image.signatures] == facts("signed.efi")["signers"]
    assert image.sbat == ("sbat,1", "shim,4")
    assert image.role is Role.OTHER


def test_implanted_sum_is_read_and_holds() -> None:
    source = MemorySource(sample("live.iso"))
    implanted = isomd5.read(source)
    assert implanted is not None
    assert implanted.md5 == facts("live.iso")["md5"]
    assert not implanted.supported
    assert isomd5.check(source, implanted).verdict is isomd5.Verdict.PASSED


@pytest.mark.parametrize("offset", [0, 100_000, 400_000, -15 * 2048 - 1])
def test_implanted_sum_fails_where_a_byte_changed(offset: int) -> None:
    good = sample("live.iso")
    offset %= len(good)
    source = MemorySource(poked(good, (offset, bytes([good[offset] ^ 1]))))
    implanted = isomd5.read(source)
    assert implanted is not None
    result = isomd5.check(source, implanted)
    assert result.verdict is isomd5.Verdict.FAILED
    assert result.damaged is not None
    assert result.damaged[0] <= offset < result.damaged[1]
