# SPDX-License-Identifier: Apache-2.0
"""Everything that can be checked of an overlay, of whatever kind, without changing it."""

import posixpath
from collections.abc import Iterator
from pathlib import Path

from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import Level, StoreCheck, StoreState, check_store
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.pairing import pairing_fault, use_fault
from liveos.medium.volume import open_volume
from liveos.report import Finding, Severity

_NOT_FOR_OVERLAYFS = {"vfat", "exfat", "ntfs"}
_OPEN_END = "nothing else is checked of an overlay of this kind"


def examine(overlay: OpenOverlay, level: Level = Level.RECORDS) -> StoreCheck:
    """All checks up to ``level``; those that need the root are made where it is known."""
    match overlay.kind:
        case PersistenceKind.SNAPSHOT:
            return _examine_store(overlay, level)
        case PersistenceKind.DIRECTORY:
            return _judged(_directory_findings(overlay))
        case PersistenceKind.IMAGE:
            return _judged(_image_findings(overlay))


def _examine_store(overlay: OpenOverlay, level: Level) -> StoreCheck:
    source = overlay.need_store()
    origin = overlay.origin.source if overlay.origin is not None else None
    size = origin.size if origin is not None else None
    check = check_store(source, origin_size=size, level=level)
    found = list(check.findings)
    if level is Level.RECORDS and origin is not None and check.store is not None:
        found += _present(pairing_fault(check.store, source, origin))
    found += _present(use_fault(overlay.place))
    return StoreCheck(check.state, tuple(found), check.store)


def _directory_findings(overlay: OpenOverlay) -> Iterator[Finding]:
    """What dracut asks of an upper directory (boot-contract.md 1.3), and what OverlayFS does."""
    assert overlay.upper is not None
    volume, node = overlay.upper
    if volume.filesystem in _NOT_FOR_OVERLAYFS:
        yield Finding(
            "D1",
            Severity.FATAL,
            f"it lies on {volume.filesystem}, which cannot keep what OverlayFS needs; the system"
            " does not start with it",
            "keep the changes in a file instead: liveos overlay convert",
        )
    beside = posixpath.join(posixpath.dirname(node.path), "ovlwork")
    yield from _missing("D2", volume.tree, (beside,))
    yield from _present(use_fault(overlay.place))
    yield Finding(
        "D0", Severity.INFO, f"{_OPEN_END}: its files are those of {volume.filesystem} itself"
    )


def _image_findings(overlay: OpenOverlay) -> Iterator[Finding]:
    """An image file must hold two directories, or counts as not found (boot-contract.md 1.3)."""
    assert overlay.source is not None
    try:
        volume = open_volume(overlay.source, Path(str(overlay.place)), None)
    except FormatError as error:
        yield Finding(
            "I1", Severity.FATAL, f"the filesystem in it cannot be read: {error}", "fsck it"
        )
        return
    yield from _missing("I2", volume.tree, ("/overlayfs", "/ovlwork"))
    yield from _present(use_fault(overlay.place))
    yield Finding("I0", Severity.INFO, f"{_OPEN_END}: for the filesystem in it there is fsck")


def _missing(code: str, tree: FileTree, directories: tuple[str, ...]) -> Iterator[Finding]:
    for path in directories:
        node = tree.lookup(path)
        if node is None or node.kind is not FileKind.DIRECTORY:
            yield Finding(
                code,
                Severity.FATAL,
                f"the directory {path} is missing; the initramfs then does not use the overlay,"
                " and the system starts without its memory",
                f"make that directory, owned by root, with mode 0755: {posixpath.basename(path)}",
            )


def _present(finding: Finding | None) -> tuple[Finding, ...]:
    return () if finding is None else (finding,)


def _judged(findings: Iterator[Finding]) -> StoreCheck:
    found = tuple(findings)
    fatal = any(finding.severity is Severity.FATAL for finding in found)
    return StoreCheck(StoreState.DAMAGED if fatal else StoreState.VALID, found)
