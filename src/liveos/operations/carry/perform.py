# SPDX-License-Identifier: Apache-2.0
"""How the memory of an installed image is copied.

What is in use is copied twice: first while it is written to, then what has changed since, while
its filesystem is frozen. So that lasts as long as reading does, not as long as writing.
"""

import hashlib
import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from liveos.errors import ProblemsFoundError, UnsupportedError, UsageError
from liveos.formats.binary import ByteSource, FormatError
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.folder import FolderFile, StoredFile
from liveos.host.freeze import frozen
from liveos.host.sums import Summing, Sums
from liveos.host.transfer import ReadAhead, pieces
from liveos.host.volumes import Ext4Volume
from liveos.medium.home.locate import open_home
from liveos.medium.overlay.examine import examine, examine_filesystem
from liveos.medium.overlay.locate import OpenOverlay, open_overlay
from liveos.operations.install.session import Session, Written
from liveos.operations.overlay.perform.convert_upper import write_directory
from liveos.operations.overlay.sound import kept_from_others
from liveos.operations.steps.carry import (
    CarryHome,
    CarryOverlay,
    CarryStep,
    CarryUpper,
    CompareSums,
)
from liveos.operations.steps.stick import Place
from liveos.report import Severity

_WINDOW = 128 << 20  # bytes after which what was copied is made durable
_LONGEST_STILL = 300.0  # seconds; what waits that long for a write is not broken by it
_MEMORY = Path("/dev/shm")  # noqa: S108 - the one directory that is in memory on every system


def perform_carry_step(step: CarryStep, session: Session) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    match step:
        case CarryOverlay():
            _carry_overlay(step, session)
        case CarryUpper():
            _carry_upper(step, session)
        case CarryHome():
            _carry_home(step, session)
        case CompareSums():
            _compare(step, session)
        case _:
            assert_never(step)


def _carry_overlay(step: CarryOverlay, session: Session) -> None:
    with (
        open_overlay(step.spec) as overlay,
        _undisturbed(overlay.place, step.still),
        _scratch_elsewhere(step.still),
    ):
        assert overlay.source is not None
        with _new_file(step.place, step.size) as file:
            _copy(step, overlay.source, file, session)
            if step.still is not None:
                _require_sound(step, replace(overlay, source=file), session)


def _carry_home(step: CarryHome, session: Session) -> None:
    with open_home(step.spec) as home, _undisturbed(home.place, step.still):
        if home.source is None:
            raise UsageError(f"{step.spec} has no home any more", hint="leave out --copy-home")
        with _new_file(step.place, step.size) as file:
            _copy(step, home.source, file, session)


def _carry_upper(step: CarryUpper, session: Session) -> None:
    still = nullcontext() if step.still is None else frozen(step.still, _LONGEST_STILL)
    with (
        open_overlay(step.spec) as overlay,
        _undisturbed(overlay.place, step.still),
        _scratch_elsewhere(step.still),
        still,
    ):
        write_directory(overlay, _beside(step.place), session.reporter, at_once=False)


@contextmanager
def _undisturbed(place: FolderFile, still: Path | None) -> Iterator[None]:
    """What is not in use stays so; of what is, the kernel has hold anyway."""
    with nullcontext() if still is not None else kept_from_others(place, reading=True):
        yield


@contextmanager
def _scratch_elsewhere(still: Path | None) -> Iterator[None]:
    """Files for the work in memory: ``$TMPDIR`` may lie on what is frozen, or fill the overlay."""
    before = tempfile.tempdir
    if still is not None:
        tempfile.tempdir = str(_MEMORY)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _copy(
    step: CarryOverlay | CarryHome, source: ByteSource, file: StoredFile, session: Session
) -> None:
    if source.size != step.size:
        raise UnsupportedError(f"the source of {step.place} has another size than before")
    copy = _Copy(file, session)
    try:
        sums = copy.run(source)
        if step.still is not None:
            with frozen(step.still, _LONGEST_STILL):
                sums = copy.run(source)
    except FormatError as error:
        raise UnsupportedError(f"the source of {step.place} is damaged: {error}") from error
    session.note(Written(step.place, step.size, sums, copied=False))


class _Copy:
    """A copy that can be brought up to date: it knows what each piece was."""

    def __init__(self, file: StoredFile, session: Session) -> None:
        self._file = file
        self._session = session
        self._known: list[bytes] = []

    def run(self, source: ByteSource) -> Sums:
        """Write what is not there yet; the sums of all that was read."""
        whole, offset, unsafe = Summing(), 0, 0
        known, self._known = self._known, []
        with ReadAhead(source) as ahead:
            for number, piece in enumerate(pieces(ahead, source.size)):
                whole.update(piece)
                self._known.append(hashlib.sha256(piece).digest())
                if self._is_new(piece, known[number] if known else None):
                    self._file.write_at(offset, piece)
                    unsafe += len(piece)
                offset += len(piece)
                if unsafe >= _WINDOW:
                    self._file.flush()
                    unsafe = 0
                self._session.reporter.progress(offset, source.size)
                self._session.poll()
        self._file.flush()
        return whole.sums

    def _is_new(self, piece: bytes, known: bytes | None) -> bool:
        """A new file reads as zeros; ``known`` is the sum of what was written already."""
        return self._known[-1] != known if known else piece != bytes(len(piece))


def _require_sound(step: CarryOverlay, copied: OpenOverlay, session: Session) -> None:
    """The filesystem in the copy, as it starts with its journal replayed.

    :raises ProblemsFoundError: the running system would not start from it as it should.
    """
    check, _ = examine_filesystem(copied, examine(copied), session.reporter)
    for finding in check.findings:
        if finding.severity is Severity.FATAL:
            raise ProblemsFoundError(
                f"the copy of the running system's overlay at {step.place} is not sound:"
                f" {finding.message}",
                hint="start from another medium, and name this stick as the source there",
            )


def _compare(step: CompareSums, session: Session) -> None:
    """:raises ProblemsFoundError: a file of the source is not what it was when it was installed."""
    found = {(item.place.partition, item.place.path): item for item in session.written}
    for place, noted in step.files:
        item = found[(place.partition, place.path)]
        if (item.size, item.sums.sha256) != (noted.size, noted.sha256):
            raise ProblemsFoundError(
                f"{noted.path} of {step.spec} is damaged: it is not what was noted when it was"
                " installed",
                hint=f"liveos verify {step.spec} shows more; install from the ISO again",
            )


@contextmanager
def _new_file(place: Place, size: int) -> Iterator[StoredFile]:
    file = _beside(place)
    with file.folder.create(file.name, size) as opened:
        yield opened


def _beside(place: Place) -> FolderFile:
    """A place of the new stick in the words of what works on finished ones, too."""
    assert isinstance(place.volume, Ext4Volume)
    directory, name = posixpath.split(place.path)
    return FolderFile(Ext4Folder(place.volume, directory), name)
