# SPDX-License-Identifier: Apache-2.0
"""Rock Ridge (IEEE P1282) over SUSP (IEEE P1281): POSIX facts in ISO 9660 directory records."""

from collections.abc import Iterator
from dataclasses import dataclass

from liveos.formats.binary import ByteSource, FormatError

_MOST_CONTINUATIONS = 64
_NAME_CONTINUES = 0x01
_LONGEST_NAME = 1024  # NAME_MAX is 255; some writers allow more
_LONGEST_TARGET = 4096  # PATH_MAX

# Flags of a component of a symbolic link, and what it stands for
_COMPONENTS = {0x02: b".", 0x04: b"..", 0x08: b"/"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What Rock Ridge says of one directory record; all of it may be missing.

    ``child_block``: this is only the place-holder of a directory that lies at that block.
    ``is_relocated``: this is such a directory, and belongs elsewhere.
    """

    name: bytes | None = None
    mode: int | None = None
    target: bytes | None = None
    child_block: int | None = None
    is_relocated: bool = False
    is_compressed: bool = False


def find_skip(system_use: bytes) -> int | None:
    """The skip length in the SP entry of the root's first record; None without SUSP."""
    # A CD-ROM XA record of 14 bytes may come first.
    for start in (0, 14):
        entry = system_use[start : start + 7]
        if len(entry) == 7 and entry[:2] == b"SP" and entry[4:6] == b"\xbe\xef":
            return entry[6]
    return None


def read_facts(source: ByteSource, block_size: int, system_use: bytes, skip: int | None) -> Facts:
    """The facts in a record's system use field and its continuations.

    :raises FormatError: continuations in a circle, or names longer than systems allow.
    """
    name, target = b"", _Target()
    mode = child_block = None
    signatures = set()
    for signature, data in _entries(source, block_size, system_use[skip or 0 :]):
        signatures.add(signature)
        if signature == b"NM" and data and not data[0] & ~_NAME_CONTINUES:
            name += data[1:]
        elif signature == b"PX" and len(data) >= 4:
            mode = int.from_bytes(data[:4], "little")
        elif signature == b"SL" and data:
            target.add(data[1:])
        elif signature == b"CL" and len(data) >= 4:
            child_block = int.from_bytes(data[:4], "little")
        if len(name) > _LONGEST_NAME or len(target.text) > _LONGEST_TARGET:
            raise FormatError("a Rock Ridge name or link longer than systems allow")
    return Facts(
        name or None,
        mode,
        target.text if b"SL" in signatures else None,
        child_block,
        is_relocated=b"RE" in signatures,
        is_compressed=b"ZF" in signatures,
    )


class _Target:
    """A link's target, put together from components that may themselves be in pieces."""

    def __init__(self) -> None:
        self.text = b""
        self._in_component = True  # no separator before the first component

    def add(self, components: bytes) -> None:
        while len(components) >= 2:
            flags, length = components[0], components[1]
            piece = _COMPONENTS.get(flags & ~_NAME_CONTINUES, components[2 : 2 + length])
            if not self._in_component:
                self.text += b"/"
            self.text += piece
            self._in_component = bool(flags & _NAME_CONTINUES) or piece == b"/"
            components = components[2 + length :]


def _entries(source: ByteSource, block_size: int, area: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Signature and data of each system use entry, through all continuation areas."""
    for _ in range(_MOST_CONTINUATIONS):
        following = None
        while len(area) >= 4 and 4 <= area[2] <= len(area):
            signature, data, area = area[:2], area[4 : area[2]], area[area[2] :]
            if signature == b"ST":
                break
            if signature == b"CE" and len(data) >= 24:
                following = [int.from_bytes(data[i : i + 4], "little") for i in (0, 8, 16)]
            else:
                yield signature, data
        if following is None:
            return
        block, offset, length = following
        if length > block_size:
            raise FormatError("a Rock Ridge continuation longer than a block")
        area = source.read_at(block * block_size + offset, length)
    raise FormatError("Rock Ridge continuations without end")
