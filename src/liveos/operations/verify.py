# SPDX-License-Identifier: Apache-2.0
"""Whether the bytes of a medium are those that they should be, as far as anything says so.

An ISO has an implanted MD5 sum, and often a file of sums beside it; of a stick that ``install`` has
made, ``image.json`` beside each image knows the files. Everything is read from the disk.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from liveos.errors import UnsupportedError, UsageError
from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.iso9660 import isomd5
from liveos.formats.tree import Node
from liveos.host import disk
from liveos.host.signature import signed_text
from liveos.host.transfer import ReadAhead, forget_cached, pieces
from liveos.medium.checksum_file import Checksum, checksums, is_signed
from liveos.medium.live_scene import opened_for_looking
from liveos.medium.model import MediumKind
from liveos.medium.payloads import find_payloads
from liveos.medium.record import RECORD_NAME, NotedFile, find_record, noted_files
from liveos.medium.scene import Scene
from liveos.medium.unread import DIRECTORY, unread_records
from liveos.medium.volume import Volume
from liveos.report import Reporter

_MOST_CHECKSUMS = 1 << 20
_ESP = "ESP"


class Verdict(StrEnum):
    """How a comparison ended."""

    GOOD = "good"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A file, or the whole medium, compared with what it should be.

    ``against`` is what says so; ``size`` are the bytes that were to be compared, and ``remark`` is
    what is known of the damage.
    """

    subject: str
    against: str
    verdict: Verdict
    size: int
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared. ``notes`` say what was not, and why."""

    path: Path
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Everything is as it should be."""
        return all(each.verdict is Verdict.GOOD for each in self.comparisons)


Progress = Callable[[int], None]


class _Task(Protocol):
    """A comparison that is still to be made."""

    @property
    def size(self) -> int: ...

    def compare(self, progress: Progress) -> Comparison: ...


def verify(
    path: Path,
    reporter: Reporter,
    sums: Path | None = None,
    keyring: Path | None = None,
    system: Path = Path("/"),
) -> Verification:
    """Compare all that can be compared.

    :param sums: a file with the sum of ``path``, and with ``keyring`` one that is signed.
    :param system: stands in for / in tests, where ``path`` is the running system.
    :raises UnsupportedError: nothing says what the bytes should be.
    :raises ProblemsFoundError: the signature does not hold.
    """
    notes: list[str] = []
    with opened_for_looking(path, system) as (scene, source):
        for place in {path, *(volume.container for volume in scene.volumes)}:
            _forget(place)
        whole = source if scene.mounted is None else None  # the disk, where its mount is meant
        tasks = [*_of_iso(whole), *_of_sticks(scene, notes)]
        if sums is not None:
            tasks.append(_Sum(path, whole, _checksum_of(path, sums, keyring, notes), sums))
        if not tasks:
            raise UnsupportedError(
                f"{path}: nothing says what its bytes should be",
                hint="an ISO can be compared with a file of sums: --checksum FILE",
            )
        return Verification(path, tuple(_compared(tasks, reporter)), tuple(notes))


def _forget(path: Path) -> None:
    """What is read is to come from the disk, not from memory."""
    if path.is_file() or path.is_block_device():
        with disk.opened(path, os.O_RDONLY) as descriptor:
            forget_cached(descriptor)


def _compared(tasks: list[_Task], reporter: Reporter) -> Iterator[Comparison]:
    reporter.step("Read what can be compared", 1, 1)
    total, before = sum(task.size for task in tasks), 0
    for task in tasks:

        def progress(done: int, before: int = before) -> None:
            reporter.progress(before + done, total)

        yield task.compare(progress)
        before += task.size


def _of_iso(source: ByteSource | None) -> Iterator[_Task]:
    implanted = None if source is None else isomd5.read(source)
    if source is not None and implanted is not None:
        yield _Implanted(source, implanted)


def _of_sticks(scene: Scene, notes: list[str]) -> Iterator[_Task]:
    """The files of each image that are noted."""
    payloads = find_payloads(scene)
    for payload in payloads:
        found = find_record(payload.volume, payload.directory)
        files = [] if found is None else list(noted_files(found[1]))
        if not files and scene.kind is not MediumKind.ISO:
            notes.append(f"{payload.directory}: no image.json notes the sums of its files")
        for noted in files:
            volume = scene.esp if noted.partition == _ESP else payload.volume
            if volume is None:
                notes.append(f"{noted.path} lies on the {noted.partition}, which is not here")
            else:
                yield _File(volume, noted, f"/{payload.directory}/{RECORD_NAME}")
    yield from _of_unread(scene, frozenset(each.directory for each in payloads), notes)


def _of_unread(scene: Scene, known: frozenset[str], notes: list[str]) -> Iterator[_Task]:
    """The boot files of images on a filesystem that is not read; its own files cannot be."""
    kinds = " or ".join(scene.unread_filesystems)
    for name, facts in unread_records(scene, known) if kinds else ():
        for noted in noted_files(facts):
            if noted.partition == _ESP and scene.esp is not None:
                yield _File(scene.esp, noted, f"{DIRECTORY}/{name}/{RECORD_NAME}")
            else:
                notes.append(f"{noted.path} lies on {kinds}, which is not read here")


def _checksum_of(path: Path, sums: Path, keyring: Path | None, notes: list[str]) -> Checksum:
    text = _text_of(sums)
    if keyring is not None:
        text = signed_text(sums, keyring)
    elif is_signed(text):
        notes.append(f"the signature of {sums} was not looked at: --keyring FILE does that")
    for each in checksums(text):
        if each.name == path.name:
            return each
    raise UsageError(f"{sums} has no sum for {path.name}", hint="has the file been renamed?")


def _text_of(sums: Path) -> str:
    try:
        if sums.stat().st_size > _MOST_CHECKSUMS:
            raise UsageError(f"{sums} is no file of sums: it is too large", hint="check the path")
        return sums.read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{sums} cannot be read: {error.strerror}", hint="check it") from error


@dataclass(frozen=True)
class _Implanted:
    """The sum in an ISO's volume descriptor."""

    source: ByteSource
    implanted: isomd5.Implanted

    @property
    def size(self) -> int:
        return self.implanted.protected_size

    def compare(self, progress: Progress) -> Comparison:
        with ReadAhead(self.source) as ahead:
            found = isomd5.check(ahead, self.implanted, lambda done, _: progress(done))
        remark = None
        if found.verdict is isomd5.Verdict.SHORTER:
            remark = f"it has {self.source.size} bytes of {self.implanted.isosize}"
        elif found.damaged is not None:
            remark = f"between bytes {found.damaged[0]} and {found.damaged[1]}"
        passed = found.verdict is isomd5.Verdict.PASSED
        verdict = Verdict.GOOD if passed else Verdict.DAMAGED
        return Comparison("the whole image", "its implanted MD5 sum", verdict, self.size, remark)


@dataclass(frozen=True)
class _Sum:
    """The sum of a whole file, from a file of sums."""

    path: Path
    source: ByteSource | None
    expected: Checksum
    sums: Path

    @property
    def size(self) -> int:
        return 0 if self.source is None else self.source.size

    def compare(self, progress: Progress) -> Comparison:
        if self.source is None:
            raise UsageError(f"{self.path} is a directory, and has no sum", hint="name the ISO")
        found = _digest(self.source, self.expected.algorithm, progress)
        verdict = Verdict.GOOD if found == self.expected.digest else Verdict.DAMAGED
        against = f"{self.sums.name} ({self.expected.algorithm.upper()})"
        return Comparison("the whole file", against, verdict, self.size)


@dataclass(frozen=True)
class _File:
    """A file of a stick, as the ``record`` notes it."""

    volume: Volume
    noted: NotedFile
    record: str

    @property
    def size(self) -> int:
        return self.noted.size

    def compare(self, progress: Progress) -> Comparison:
        node = self.volume.find_file(self.noted.path)
        if node is None:
            return self._comparison(Verdict.MISSING)
        if node.size != self.noted.size:
            return self._comparison(Verdict.DAMAGED, f"it has {node.size} bytes")
        return self._by_sum(node, progress)

    def _by_sum(self, node: Node, progress: Progress) -> Comparison:
        try:
            if isinstance(node.handle, Path):  # in a directory
                _forget(node.handle)
            found = _digest(self.volume.tree.open(node), "sha256", progress)
        except (FormatError, OSError) as error:
            return self._comparison(Verdict.DAMAGED, f"it cannot be read: {error}")
        good = found == self.noted.sha256
        return self._comparison(Verdict.GOOD if good else Verdict.DAMAGED)

    def _comparison(self, verdict: Verdict, remark: str | None = None) -> Comparison:
        subject = f"{self.noted.partition}:{self.noted.path}"
        return Comparison(subject, self.record, verdict, self.noted.size, remark)


def _digest(source: ByteSource, algorithm: str, progress: Progress) -> str:
    digest = hashlib.new(algorithm)
    done = 0
    with ReadAhead(source) as ahead:
        for piece in pieces(ahead, source.size):
            digest.update(piece)
            done += len(piece)
            progress(done)
    return digest.hexdigest()
