# SPDX-License-Identifier: Apache-2.0
"""What a byte source holds, by its magic: kind, label and UUID in the spelling of ``blkid``.

Offsets are those of the filesystems' own specifications. Reads a few kilobytes at most, never
fails on damaged bytes: what cannot be made out is None.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.encryption_mark import read_mark
from liveos.formats.ext4.superblock import Superblock as ExtSuperblock


class Kind(StrEnum):
    """What bytes can be, as ``blkid -p`` names it (TYPE, or PTTYPE for partition tables)."""

    ISO9660 = "iso9660"
    SQUASHFS = "squashfs"
    SQUASHFS3 = "squashfs3"  # of before 2009, or big-endian
    EROFS = "erofs"
    EXT2 = "ext2"
    EXT3 = "ext3"
    EXT4 = "ext4"
    JOURNAL = "jbd"
    VFAT = "vfat"
    EXFAT = "exfat"
    NTFS = "ntfs"
    F2FS = "f2fs"
    XFS = "xfs"
    BTRFS = "btrfs"
    LUKS = "crypto_LUKS"
    ENCRYPTING = "liveos_encrypting"  # a name of our own, see ``formats.encryption_mark``
    SWAP = "swap"
    SNAPSHOT_STORE = "DM_snapshot_cow"
    GPT = "gpt"
    MBR = "dos"


@dataclass(frozen=True, slots=True)
class Identity:
    """A kind of filesystem, store or partition table; label and UUID where it has them."""

    kind: Kind
    label: str | None = None
    uuid: str | None = None


def identify(source: ByteSource) -> Identity | None:
    """What the source holds; None when no known magic is there.

    A hybrid ISO, which is also a partitioned disk, is an ISO.
    """
    for probe in _PROBES:
        identity = probe(source)
        if identity is not None:
            return identity
    return None


def _peek(source: ByteSource, offset: int, length: int) -> bytes:
    """Bytes of the source; none at all when it ends before."""
    if offset + length > source.size:
        return b""
    return source.read_at(offset, length)


def _text(field: bytes, encoding: str = "utf-8") -> str | None:
    """A zero-terminated name; None when it is empty."""
    text = field.decode(encoding, "surrogateescape" if encoding == "utf-8" else "replace")
    return text.split("\0", 1)[0].rstrip() or None


def _uuid(field: bytes) -> str | None:
    return str(uuid.UUID(bytes=field)) if any(field) else None


def _serial(field: bytes) -> str | None:
    """A DOS volume serial number: four bytes, little-endian, in two halves."""
    number = int.from_bytes(field, "little")
    return f"{number >> 16:04X}-{number & 0xFFFF:04X}" if number else None


def _luks(source: ByteSource) -> Identity | None:
    header = _peek(source, 0, 208)
    if header[:6] != b"LUKS\xba\xbe":
        return None
    label = _text(header[24:72]) if header[6:8] == b"\0\2" else None  # LUKS1 has none
    return Identity(Kind.LUKS, label, _text(header[168:208]))


def _encrypting(source: ByteSource) -> Identity | None:
    mark = read_mark(source)
    return None if mark is None else Identity(Kind.ENCRYPTING, uuid=str(mark.uuid))


def _squashfs(source: ByteSource) -> Identity | None:
    superblock = _peek(source, 0, 32)
    if superblock[:4] not in {b"hsqs", b"sqsh"}:
        return None
    byte_order: Literal["little", "big"] = "little" if superblock[:1] == b"h" else "big"
    major = int.from_bytes(superblock[28:30], byte_order)
    is_current = byte_order == "little" and major >= 4
    return Identity(Kind.SQUASHFS if is_current else Kind.SQUASHFS3)


def _snapshot_store(source: ByteSource) -> Identity | None:
    return Identity(Kind.SNAPSHOT_STORE) if _peek(source, 0, 4) == b"SnAp" else None


def _xfs(source: ByteSource) -> Identity | None:
    superblock = _peek(source, 0, 120)
    if superblock[:4] != b"XFSB":
        return None
    return Identity(Kind.XFS, _text(superblock[108:120]), _uuid(superblock[32:48]))


def _iso9660(source: ByteSource) -> Identity | None:
    descriptor = _peek(source, 16 * 2048, 2048)
    if descriptor[:6] != b"\1CD001":
        return None
    label = _text(descriptor[40:72])
    for start in (830, 813):  # modification time, else creation time, of the volume
        digits = descriptor[start : start + 16]
        if digits.isdigit() and digits.strip(b"0"):
            text = digits.decode("ascii")
            pairs = (text[index : index + 2] for index in range(4, 16, 2))
            return Identity(Kind.ISO9660, label, "-".join([text[:4], *pairs]))
    return Identity(Kind.ISO9660, label)


def _ext(source: ByteSource) -> Identity | None:
    if _peek(source, 1024 + 56, 2) != b"\x53\xef":
        return None
    try:
        superblock = ExtSuperblock.checked(source)
    except FormatError:
        return None
    return Identity(
        Kind(superblock.filesystem), superblock.label or None, _uuid(superblock.uuid_bytes)
    )


def _erofs(source: ByteSource) -> Identity | None:
    superblock = _peek(source, 1024, 128)
    if superblock[:4] != b"\xe2\xe1\xf5\xe0":
        return None
    return Identity(Kind.EROFS, _text(superblock[64:80]), _uuid(superblock[48:64]))


def _f2fs(source: ByteSource) -> Identity | None:
    superblock = _peek(source, 1024, 124 + 1024)
    if superblock[:4] != b"\x10\x20\xf5\xf2":
        return None
    return Identity(Kind.F2FS, _text(superblock[124:], "utf-16-le"), _uuid(superblock[108:124]))


def _btrfs(source: ByteSource) -> Identity | None:
    superblock = _peek(source, 64 << 10, 1024)
    if superblock[64:72] != b"_BHRfS_M":
        return None
    return Identity(Kind.BTRFS, _text(superblock[0x12B:0x22B]), _uuid(superblock[32:48]))


def _swap(source: ByteSource) -> Identity | None:
    for page_size in (4096, 8192, 16384, 32768, 65536):
        if _peek(source, page_size - 10, 10) == b"SWAPSPACE2":
            header = _peek(source, 1024, 44)
            return Identity(Kind.SWAP, _text(header[28:44]), _uuid(header[12:28]))
    return None


def _exfat(source: ByteSource) -> Identity | None:
    sector = _peek(source, 0, 512)
    if sector[3:11] != b"EXFAT   ":
        return None
    return Identity(Kind.EXFAT, uuid=_serial(sector[100:104]))


def _ntfs(source: ByteSource) -> Identity | None:
    sector = _peek(source, 0, 512)
    if sector[3:11] != b"NTFS    ":
        return None
    return Identity(Kind.NTFS, uuid=f"{int.from_bytes(sector[72:80], 'little'):016X}")


def _gpt(source: ByteSource) -> Identity | None:
    for sector_size in (512, 4096):
        header = _peek(source, sector_size, 92)
        if header[:8] == b"EFI PART":
            return Identity(Kind.GPT, uuid=str(uuid.UUID(bytes_le=header[56:72])))
    return None


@dataclass(frozen=True, slots=True)
class _FatLayout:
    """Where a FAT filesystem keeps its root directory and its serial number, in bytes."""

    root: int
    root_size: int
    serial: int


def _fat_layout(sector: bytes) -> _FatLayout | None:
    """The layout that a boot sector describes; None when it describes none."""
    sector_size = int.from_bytes(sector[11:13], "little")
    cluster, fats = sector[13], sector[16]
    reserved = int.from_bytes(sector[14:16], "little")
    plausible = (
        sector_size in {512, 1024, 2048, 4096}
        and cluster in {1, 2, 4, 8, 16, 32, 64, 128}
        and reserved
        and fats
        and sector[21] >= 0xF0  # media descriptor
    )
    if not plausible:
        return None
    fat_size = int.from_bytes(sector[22:24], "little")
    if fat_size:  # FAT12 and FAT16: the root directory has a place of its own
        root = (reserved + fats * fat_size) * sector_size
        return _FatLayout(root, int.from_bytes(sector[17:19], "little") * 32, 39)
    fat_size = int.from_bytes(sector[36:40], "little")
    first = int.from_bytes(sector[44:48], "little")
    sectors = reserved + fats * fat_size + (first - 2) * cluster
    return _FatLayout(sectors * sector_size, cluster * sector_size, 67)


def _vfat(source: ByteSource) -> Identity | None:
    sector = _peek(source, 0, 512)
    layout = _fat_layout(sector) if sector[510:] == b"\x55\xaa" else None
    if layout is None or layout.root < 0:
        return None
    directory = _peek(source, layout.root, layout.root_size)
    serial = _serial(sector[layout.serial : layout.serial + 4])
    return Identity(Kind.VFAT, _fat_label(directory), serial)


def _fat_label(directory: bytes) -> str | None:
    """The volume label: an entry of the root directory, as a rule its first."""
    for offset in range(0, len(directory), 32):
        entry = directory[offset : offset + 32]
        if entry[0] == 0:
            return None
        if entry[0] != 0xE5 and entry[11] & 0x1F == 0x08:  # not deleted; volume, no long name
            return _text(entry[:11], "cp437")
    return None


def _mbr(source: ByteSource) -> Identity | None:
    sector = _peek(source, 0, 512)
    entries = [sector[start : start + 16] for start in range(446, 510, 16)]
    if sector[510:] != b"\x55\xaa" or any(entry[0] not in {0, 0x80} for entry in entries):
        return None
    if not any(entry[4] for entry in entries):
        return None
    signature = int.from_bytes(sector[440:444], "little")
    return Identity(Kind.MBR, uuid=f"{signature:08x}" if signature else None)


# Magics that nothing else can have come first; a boot sector may stand before any filesystem.
_PROBES: tuple[Callable[[ByteSource], Identity | None], ...] = (
    _luks, _encrypting, _squashfs, _snapshot_store, _xfs, _iso9660, _ext, _erofs, _f2fs, _btrfs,
    _swap, _exfat, _ntfs, _gpt, _vfat, _mbr,
)  # fmt: skip
