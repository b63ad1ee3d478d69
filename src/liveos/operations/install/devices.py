# SPDX-License-Identifier: Apache-2.0
"""How the steps that only devices need are done: taken over, wiped, written at once, let go."""

import hashlib
import os
from collections.abc import Iterator

from liveos.errors import ProblemsFoundError
from liveos.host import disk, udisks
from liveos.host.block.claim import Claim, detach
from liveos.host.block.machine import Machine
from liveos.host.transfer import PIECE, DurableWriter, forget_cached
from liveos.operations.install.session import Session
from liveos.operations.steps.stick import ClaimDevice, Detach, MakeUnbootable, WriteDevice
from liveos.report import Finding, Severity

_SECTOR = 512


def claim_device(step: ClaimDevice, session: Session) -> None:
    """:raises RefusedError: it is another device now, or somebody uses it."""
    lent = udisks.open_device(step.path, os.O_EXCL) if step.lent else None
    session.claim = Claim(step.path, lent)
    session.claim.require(step.device)


def make_unbootable(step: MakeUnbootable, session: Session) -> None:
    """The first write. From here on there are no partitions that somebody could mount."""
    session.touched = True
    disk.make_unbootable(step.path, step.regions)
    if session.claim is not None:
        session.claim.share()


def detach_device(step: Detach, session: Session) -> None:
    """While it is locked, so that nobody mounts what is on it before it is gone."""
    detached = detach(Machine().at(step.path))
    session.release()
    detached = detached or udisks.power_off(step.path)
    said = "has been detached" if detached else "is written in full"
    message = f"{step.path} {said}: it can be pulled out"
    session.reporter.finding(Finding("ejected", Severity.INFO, message))


def write_device(step: WriteDevice, session: Session) -> None:
    """:raises ProblemsFoundError: the device gives back other bytes than it was given."""
    assert session.claim is not None
    device = session.claim.descriptor
    session.touched = True
    disk.wipe(device, step.regions)
    with disk.opened(step.draft, os.O_RDONLY) as draft:
        spans = tuple(_data(draft))
        total = sum(stop - start for start, stop in spans)
        first = os.pread(draft, _SECTOR, 0)
        written = _write(draft, device, spans, session, total)
    if _read_back(device, spans, session, total) != written:
        raise ProblemsFoundError(
            f"{step.path} gives back other bytes than were written",
            hint="the stick is failing, or it is smaller than it says: use another",
        )
    disk.write_all(device, 0, first)
    os.fsync(device)
    forget_cached(device)
    if os.pread(device, _SECTOR, 0) != first:
        raise ProblemsFoundError(f"{step.path}: the first sector cannot be read back")
    step.draft.unlink()
    session.part = None


def _data(draft: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of what is no hole, without the first sector (lseek(2), SEEK_DATA)."""
    end, position = os.fstat(draft).st_size, 0
    while position < end:
        try:
            start = os.lseek(draft, position, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole is left
            return
        position = os.lseek(draft, start, os.SEEK_HOLE)
        yield max(start, _SECTOR), position


def _write(
    draft: int, device: int, spans: tuple[tuple[int, int], ...], session: Session, total: int
) -> str:
    """The SHA-256 sum of all that is written."""
    digest = hashlib.sha256()

    def progress(done: int) -> None:
        session.reporter.progress(done, total)
        session.shared.poll()

    with DurableWriter(device, progress) as writer:
        for offset, length in _pieces(spans):
            data = os.pread(draft, length, offset)
            digest.update(data)
            writer.write(offset, data)
        writer.finish()
    return digest.hexdigest()


def _read_back(
    device: int, spans: tuple[tuple[int, int], ...], session: Session, total: int
) -> str:
    forget_cached(device)
    digest = hashlib.sha256()
    done = 0
    for offset, length in _pieces(spans):
        digest.update(os.pread(device, length, offset))
        done += length
        session.reporter.progress(done, total)
        session.shared.poll()
    return digest.hexdigest()


def _pieces(spans: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, int]]:
    """(offset, length), at most `PIECE` bytes each."""
    for start, stop in spans:
        for offset in range(start, stop, PIECE):
            yield offset, min(PIECE, stop - offset)
