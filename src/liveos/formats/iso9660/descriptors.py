# SPDX-License-Identifier: Apache-2.0
"""Volume descriptors of ISO 9660 (ECMA-119 8): what an ISO says of itself."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from liveos.formats.binary import ByteSource

SECTOR_SIZE = 2048
_FIRST_DESCRIPTOR = 16
_MOST_DESCRIPTORS = 64
_JOLIET_ESCAPES = (b"%/@", b"%/C", b"%/E")
_DATE = re.compile(rb"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})", re.ASCII)


class DescriptorType:
    """Types of volume descriptors (ECMA-119 8.1.1)."""

    BOOT = 0
    PRIMARY = 1
    SUPPLEMENTARY = 2
    TERMINATOR = 255


@dataclass(frozen=True)
class VolumeDescriptor:
    """A volume descriptor: ``data`` is its sector, ``offset`` where that lies."""

    offset: int
    data: bytes

    @property
    def type(self) -> int:
        return self.data[0]

    @property
    def label(self) -> str:
        """The volume identifier."""
        return self._text(40, 32)

    @property
    def system(self) -> str:
        return self._text(8, 32)

    @property
    def publisher(self) -> str:
        return self._text(318, 128)

    @property
    def application(self) -> str:
        return self._text(574, 128)

    @property
    def block_size(self) -> int:
        return int.from_bytes(self.data[128:130], "little")

    @property
    def size(self) -> int:
        """The volume space in bytes: what the image should at least hold."""
        return int.from_bytes(self.data[80:84], "little") * self.block_size

    @property
    def created(self) -> datetime | None:
        return _date(self.data[813:830])

    @property
    def uuid(self) -> str | None:
        """What blkid calls the UUID: the date of the last change, or else of the creation."""
        for start in (830, 813):
            digits = _DATE.match(self.data, start)
            if digits and digits[0].strip(b"0"):
                return b"-".join(digits.groups()).decode()
        return None

    @property
    def is_joliet(self) -> bool:
        return self.type == DescriptorType.SUPPLEMENTARY and self.data[88:91] in _JOLIET_ESCAPES

    def _text(self, start: int, length: int) -> str:
        raw = self.data[start : start + length]
        text = raw.decode("utf-16-be" if self.is_joliet else "utf-8", "replace")
        return text.split("\0")[0].rstrip()


def read_descriptors(source: ByteSource) -> list[VolumeDescriptor]:
    """The volume descriptors in order, without the terminator; empty when this is no ISO 9660."""
    found: list[VolumeDescriptor] = []
    for sector in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MOST_DESCRIPTORS):
        offset = sector * SECTOR_SIZE
        if offset + SECTOR_SIZE > source.size:
            break
        data = source.read_at(offset, SECTOR_SIZE)
        if data[1:6] != b"CD001" or data[0] == DescriptorType.TERMINATOR:
            break
        found.append(VolumeDescriptor(offset, data))
    return found


def find_primary(source: ByteSource) -> VolumeDescriptor | None:
    """The primary volume descriptor; None when there is none."""
    for descriptor in read_descriptors(source):
        if descriptor.type == DescriptorType.PRIMARY:
            return descriptor
    return None


def _date(raw: bytes) -> datetime | None:
    """A date of 16 digits and a zone in quarters of an hour (ECMA-119 8.4.26.1)."""
    digits = _DATE.match(raw)
    if digits is None or len(raw) < 17:
        return None
    year, month, day, hour, minute, second, hundredths = map(int, digits.groups())
    quarters = raw[16] - 256 if raw[16] > 127 else raw[16]
    try:
        zone = timezone(timedelta(minutes=15 * quarters))
        return datetime(year, month, day, hour, minute, second, hundredths * 10_000, zone)
    except ValueError:
        return None
