# SPDX-License-Identifier: Apache-2.0
"""Headers of encrypted volumes: LUKS1 and LUKS2, as far as they can be read without a key.

From the LUKS On-Disk Format Specification 1.2.3 and the LUKS2 On-Disk Format Specification 1.1.
Numbers are big-endian. LUKS2 has two copies of its header, each 4 KiB of fields and JSON after
them, under one checksum.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from liveos.formats.binary import ByteSource, FormatError, TruncatedError

_MAGIC, _MAGIC_OF_COPY = b"LUKS\xba\xbe", b"SKUL\xba\xbe"
_SIZES = tuple(1 << bits for bits in range(14, 23))
"""What a LUKS2 header may measure, and so where its copy may begin: 16 KiB to 4 MiB."""

_FIELDS = struct.Struct(">6sHQQ48s32s64s40s48sQ184s64s")
_FIELDS_SIZE = 4096
_CHECKSUM = slice(448, 512)
_LUKS1 = struct.Struct(">6sH32s32s32sII20s32sI40s")
_LUKS1_SLOT = struct.Struct(">II32sII")
_LUKS1_ACTIVE = 0x00AC71F3
_LUKS1_SLOTS = 8

# What JSON of another shape than expected leads to.
_SENSELESS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True)
class KeySlot:
    """A passphrase that opens the volume, and how a key is derived from it."""

    number: int
    kdf: str


@dataclass(frozen=True, slots=True)
class LuksHeader:
    """What is known of a volume without a key.

    The encrypted data begin at byte ``offset``, in units of ``sector_size`` bytes. ``unfinished``
    means that a change of the encryption was begun and has not come to its end.
    """

    version: int
    uuid: str
    cipher: str
    offset: int
    sector_size: int
    key_slots: tuple[KeySlot, ...]
    unfinished: bool = False


def read_luks(source: ByteSource) -> LuksHeader:
    """The header of an encrypted volume; of LUKS2, the second copy where the first is damaged.

    :raises FormatError: there is none that can be read.
    """
    try:
        magic, version = struct.unpack(">6sH", source.read_at(0, 8))
        if magic == _MAGIC and version == 1:
            return _luks1(source)
        texts = list(_json_areas(source))
    except TruncatedError as error:
        raise FormatError(f"a damaged LUKS header: {error}") from error
    if not texts:
        raise FormatError("no LUKS header, or both copies of it are damaged")
    # The copy that was written last counts; at a power cut they differ by one.
    _, uuid, text = max(texts, key=lambda found: found[0])
    try:
        return _luks2(uuid, json.loads(text))
    except _SENSELESS as error:
        raise FormatError(f"a LUKS2 header whose contents make no sense: {error!r}") from error


def _luks1(source: ByteSource) -> LuksHeader:
    _, _, name, mode, _, offset, _, _, _, _, uuid = _LUKS1.unpack(source.read_at(0, _LUKS1.size))
    slots = source.read_at(_LUKS1.size, _LUKS1_SLOTS * _LUKS1_SLOT.size)
    active = [number for number, slot in enumerate(_LUKS1_SLOT.iter_unpack(slots))
              if slot[0] == _LUKS1_ACTIVE]  # fmt: skip
    cipher = f"{_text(name)}-{_text(mode)}"
    keys = tuple(KeySlot(number, "pbkdf2") for number in active)
    return LuksHeader(1, _text(uuid), cipher, offset * 512, 512, keys)


def _json_areas(source: ByteSource) -> Iterator[tuple[int, str, str]]:
    """(sequence number, UUID, JSON) of each copy that its checksum calls whole."""
    for offset in (0, *_SIZES):
        if offset + _FIELDS_SIZE > source.size:
            return
        fields = _FIELDS.unpack(source.read_at(offset, _FIELDS.size))
        magic, version, size, sequence, _, algorithm, _, uuid, _, own_offset, _, checksum = fields
        wanted = _MAGIC if offset == 0 else _MAGIC_OF_COPY
        proper = version == 2 and size in _SIZES and own_offset == offset
        if magic != wanted or not proper or _text(algorithm) != "sha256":
            continue
        if offset + size > source.size:
            continue
        area = bytearray(source.read_at(offset, size))
        area[_CHECKSUM] = bytes(64)
        if hashlib.sha256(area).digest() == checksum[:32]:
            yield sequence, _text(uuid), _text(bytes(area[_FIELDS_SIZE:]))


def _luks2(uuid: str, document: Any) -> LuksHeader:  # noqa: ANN401 - JSON is of any shape
    segments = document["segments"]
    segment = segments[min(segments, key=int)]
    slots = document["keyslots"]
    keys = [
        KeySlot(int(number), str(slots[number]["kdf"]["type"]))
        for number in sorted(slots, key=int)
        if "kdf" in slots[number]
    ]
    required = document["config"].get("requirements", {})
    words = required.get("mandatory", []) if isinstance(required, dict) else required
    cipher = str(segment.get("encryption", "none"))
    size = int(segment.get("sector_size", 512))
    unfinished = any("reencrypt" in word for word in words)
    return LuksHeader(2, uuid, cipher, int(segment["offset"]), size, tuple(keys), unfinished)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
