# SPDX-License-Identifier: Apache-2.0
"""Extended attributes of ext2, ext3 and ext4 (``fs/ext4/xattr.h`` and ``acl.h`` of the kernel).

They lie behind the fields of a large inode, in one block that inodes may share, or, when a value
is too large for either, in an inode of its own. POSIX ACLs are kept shorter than getxattr(2)
shows them, and are given here in its form, so that they compare across filesystems.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from liveos.formats.binary import FormatError, Record, u8, u16, u32
from liveos.formats.crc32c import crc32c
from liveos.formats.ext4.superblock import OLD_INODE_SIZE

INLINE_XATTR = "system.data"  # the rest of a file or directory that lies in its inode
_MAGIC = 0xEA020000
_BLOCK_HEADER = 32
_BLOCK_HEADER_FIELDS = 20
_LARGEST_VALUE = 1 << 16  # XATTR_SIZE_MAX

# The namespaces that the kernel lists, by index; "system.data" is its own affair.
_NAMESPACES = {1: "user.", 4: "trusted.", 6: "security.", 7: "system.", 10: "gnu."}
_ACLS = {2: "system.posix_acl_access", 3: "system.posix_acl_default"}
_NAMED_ACL_TAGS = {0x02, 0x08}  # ACL_USER, ACL_GROUP: only these have an id on disk
_ACL_DISK_VERSION, _ACL_XATTR_VERSION = 1, 2
_ACL_NO_ID = 0xFFFFFFFF


@dataclass(frozen=True)
class _Entry(Record):
    """``ext4_xattr_entry``; the name follows."""

    name_length: u8
    namespace: u8
    value_offset: u16
    value_inode: u32
    value_size: u32
    hash: u32


@dataclass(frozen=True)
class _BlockHeader(Record):
    """``ext4_xattr_header``, which begins a block of attributes."""

    magic: u32
    owners: u32
    blocks: u32
    hash: u32
    checksum: u32


@dataclass(frozen=True, slots=True)
class StoredXattr:
    """Where a value is: in inode number ``inode``, or if that is 0, at ``offset`` of the area."""

    name: str
    offset: int
    size: int
    inode: int


def xattrs_in_inode(inode: bytes) -> Iterator[StoredXattr]:
    """The attributes behind the fields of an inode; offsets count from the inode's begin."""
    if len(inode) < OLD_INODE_SIZE + 4:
        return
    start = OLD_INODE_SIZE + int.from_bytes(inode[OLD_INODE_SIZE : OLD_INODE_SIZE + 2], "little")
    if start % 4 or start + 4 > len(inode):
        raise FormatError(f"an inode of {len(inode)} bytes has fields up to byte {start}")
    if int.from_bytes(inode[start : start + 4], "little") == _MAGIC:
        yield from _entries(inode, start + 4, start + 4)


def xattrs_in_block(block: bytes) -> Iterator[StoredXattr]:
    """The attributes in a block of their own; offsets count from the block's begin."""
    if int.from_bytes(block[:4], "little") != _MAGIC:
        raise FormatError("a block of extended attributes does not begin as one")
    yield from _entries(block, _BLOCK_HEADER, 0)


def _entries(area: bytes, position: int, base: int) -> Iterator[StoredXattr]:
    """Entries from ``position`` to the zero word; values are counted from ``base``."""
    size = _Entry.layout().size
    while area[position : position + 4].strip(b"\0"):
        entry = _Entry.unpack(area, position)
        name = area[position + size : position + size + entry.name_length]
        start = base + entry.value_offset
        inside = entry.value_inode or start + entry.value_size <= len(area)
        if entry.value_size > _LARGEST_VALUE or not inside:
            raise FormatError(f"an extended attribute has a value of {entry.value_size} bytes")
        full_name = _full_name(entry.namespace, name)
        if full_name is not None:
            yield StoredXattr(full_name, start, entry.value_size, entry.value_inode)
        position += size + -(-entry.name_length // 4) * 4


def _full_name(namespace: int, name: bytes) -> str | None:
    """The name as listxattr(2) has it; None in a namespace that Linux does not show."""
    if namespace in _ACLS:
        return _ACLS[namespace]
    prefix = _NAMESPACES.get(namespace)
    return None if prefix is None else prefix + name.decode("utf-8", "surrogateescape")


def value_as_shown(name: str, value: bytes) -> bytes:
    """A value in the form of getxattr(2)."""
    return _acl_as_shown(value) if name in _ACLS.values() else value


def _acl_as_shown(value: bytes) -> bytes:
    if len(value) < 4 or int.from_bytes(value[:4], "little") != _ACL_DISK_VERSION:
        raise FormatError("a POSIX ACL of an unknown version")
    shown = [struct.pack("<I", _ACL_XATTR_VERSION)]
    position = 4
    while position < len(value):
        tag, permissions = _unpack("<HH", value, position)
        position += 4
        identity = _ACL_NO_ID
        if tag in _NAMED_ACL_TAGS:
            (identity,) = _unpack("<I", value, position)
            position += 4
        shown.append(struct.pack("<HHI", tag, permissions, identity))
    return b"".join(shown)


def _unpack(layout: str, value: bytes, position: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, value, position)
    except struct.error as error:
        raise FormatError("a POSIX ACL ends within an entry") from error


def block_owners(block: bytes) -> int:
    """How many inodes have a block of attributes."""
    header = _BlockHeader.unpack(block)
    if header.magic != _MAGIC:
        raise FormatError("a block of extended attributes does not begin like one")
    return header.owners


def with_owners(block: bytes, owners: int, number: int, seed: int | None) -> bytes:
    """The block ``number`` as so many inodes have it; ``seed`` is None without metadata_csum."""
    header = replace(_BlockHeader.unpack(block), owners=owners, checksum=0)
    rest = block[_BLOCK_HEADER_FIELDS:]
    if seed is not None:
        whole = number.to_bytes(8, "little") + header.pack() + rest
        header = replace(header, checksum=crc32c(whole, seed))
    return header.pack() + rest
