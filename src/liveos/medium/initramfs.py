# SPDX-License-Identifier: Apache-2.0
"""What an initramfs says of itself: the dracut that made it, its modules and its kernel.

Sources: dracut's install() of module 99base, boot-contract.md 1.6, images.md section 6 step 6.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.compression.decompress import MAGIC_SIZE, decompress, detect
from liveos.formats.compression.streams import PieceStream, SourceStream
from liveos.formats.cpio import CpioReader, Member

# An ISO is looked at with 64 MiB of reading in all; dracut sorts its archives, so that what is
# wanted here comes in the first third.
MOST_READ = 48 << 20
_MOST_UNPACKED = 2 << 30
_LARGEST_LIST = 1 << 20

_VERSION = re.compile(r"(?:usr/)?(?:lib|share)/dracut/dracut-(\d[^/]*)")
_MODULES = re.compile(r"(?:usr/)?(?:lib|share)/dracut/modules\.txt")
_KERNEL = re.compile(r"(?:usr/)?lib/modules/([^/]+)(?:/.*)?")
_SYSTEMD = re.compile(r"(?:usr/)?lib/systemd/systemd")

# Files that show a scheme where no list of modules does (images.md 1.7, 1.8, section 6)
_FAMILY_FILES = (
    (re.compile(r"(?:usr/)?lib/live/boot(?:/.*)?|(?:usr/share/initramfs-tools/)?scripts/live"),
     "live-boot"),
    (re.compile(r"scripts/casper(?:-.*)?"), "casper"),
    (re.compile(r"(?:usr/)?s?bin/nash"), "mkinitrd"),
    (re.compile(r"(?:usr/)?lib/dracut/hooks(?:/.*)?|(?:usr/)?lib/dracut-lib\.sh"), "dracut"),
    (re.compile(r"(?:usr/)?s?bin/dmsquash-live-root"), "dmsquash-live"),
)  # fmt: skip
_FAMILY_MODULES = ("kiwi-live", "dmsquash-live")


@dataclass(frozen=True, slots=True)
class InitramfsContents:
    """What was found. ``dracut`` is its version as written, such as ``059-4``.

    ``families`` names the schemes seen: dracut, dmsquash-live, kiwi-live, live-boot, casper,
    mkinitrd. A dracut of before 2012 leaves no version and no modules, but shows as a family.
    ``is_complete`` is False when reading stopped before the end with something still unseen.
    """

    dracut: str | None
    modules: tuple[str, ...]
    kernel: str | None
    systemd: bool
    families: tuple[str, ...]
    is_complete: bool


def read_initramfs(source: ByteSource, most: int = MOST_READ) -> InitramfsContents:
    """Look into an initramfs, reading at most ``most`` bytes, and no more than it takes.

    :raises FormatError: this is no initramfs, or it is damaged before anything was found.
    """
    seen = _Seen()
    limited = _Limited(source, most)
    is_complete = True
    try:
        for reader in _archives(limited):
            for member in reader:
                seen.look_at(member, reader)
                if seen.is_enough:
                    return seen.contents(is_complete=True)
    except _LimitReachedError:
        is_complete = False
    return seen.contents(is_complete=is_complete)


def each_member(source: ByteSource, most: int) -> Iterator[tuple[Member, CpioReader]]:
    """The members of all archives, with the reader that stands at each; at most ``most`` bytes.

    :raises FormatError: this is no initramfs, or it is damaged.
    """
    try:
        for reader in _archives(_Limited(source, most)):
            for member in reader:
                yield member, reader
    except _LimitReachedError:
        return


def _archives(source: ByteSource) -> Iterator[CpioReader]:
    """Uncompressed archives (microcode comes that way), then the compressed ones behind them."""
    stream = SourceStream(source)
    plain = CpioReader(stream)
    yield plain
    head = stream.peek(MAGIC_SIZE)
    if detect(head) is not None:
        yield CpioReader(PieceStream(_bounded(decompress(source, stream.offset))))
    elif stream.offset == 0:
        raise FormatError("no initramfs: neither a cpio archive nor a compressed one")


def _bounded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Stop a stream that unpacks to more than any initramfs."""
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > _MOST_UNPACKED:
            raise _LimitReachedError
        yield piece


class _LimitReachedError(Exception):
    """As much was read as may be."""


class _Limited:
    """A source that ends the look when more than ``most`` bytes of it were read."""

    def __init__(self, source: ByteSource, most: int) -> None:
        self._source = source
        self._left = most

    @property
    def size(self) -> int:
        return self._source.size

    def read_at(self, offset: int, length: int) -> bytes:
        self._left -= length
        if self._left < 0:
            raise _LimitReachedError
        return self._source.read_at(offset, length)


@dataclass(slots=True)
class _Seen:
    """Facts gathered while the members go by."""

    dracut: str | None = None
    modules: tuple[str, ...] = ()
    kernel: str | None = None
    systemd: bool = False
    families: list[str] = field(default_factory=list)

    @property
    def is_enough(self) -> bool:
        """The list of modules tells of systemd and the families; nothing more can come."""
        return bool(self.dracut and self.modules and self.kernel)

    def look_at(self, member: Member, reader: CpioReader) -> None:
        name = member.name
        if found := _VERSION.fullmatch(name):
            self.dracut = found[1]
            self._add_family("dracut")
        elif _MODULES.fullmatch(name):
            self._add_modules(reader.read(_LARGEST_LIST))
        elif self.kernel is None and (found := _KERNEL.fullmatch(name)):
            self.kernel = found[1]
        elif _SYSTEMD.fullmatch(name):
            self.systemd = True
        else:
            for pattern, family in _FAMILY_FILES:
                if pattern.fullmatch(name):
                    self._add_family(family)

    def contents(self, *, is_complete: bool) -> InitramfsContents:
        return InitramfsContents(
            self.dracut, self.modules, self.kernel, self.systemd,
            tuple(self.families), is_complete,
        )  # fmt: skip

    def _add_modules(self, text: bytes) -> None:
        self.modules = tuple(text.decode("utf-8", "replace").split())
        self.systemd = self.systemd or "systemd" in self.modules
        self._add_family("dracut")
        for family in _FAMILY_MODULES:
            if any(family in module for module in self.modules):
                self._add_family(family)

    def _add_family(self, family: str) -> None:
        if family not in self.families:
            self.families.append(family)
