# SPDX-License-Identifier: Apache-2.0
"""Everything that can be checked of an overlay, of whatever kind, without changing it."""

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import Duplicates, MergedView
from liveos.formats.tree import FileKind, FileTree
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import Level, StoreCheck, StoreState, check_store
from liveos.medium.overlay.filesystem_check import check_filesystem
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.pairing import pairing_fault, use_fault
from liveos.medium.volume import open_volume
from liveos.report import Finding, Reporter, Severity

_NOT_FOR_OVERLAYFS = {"vfat", "exfat", "ntfs"}
# What is wrong with a store whose view can be told all the same.
_VIEWABLE = {"H6", "A2", "R6"}
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
        case PersistenceKind.DIRECT:
            return _judged(iter(()))


def examine_filesystem(
    overlay: OpenOverlay, check: StoreCheck, reporter: Reporter
) -> tuple[StoreCheck, str]:
    """``check`` with what e2fsck finds in the filesystem that the system would see, and its words.

    :raises LiveosError: the root is not known, there is no e2fsck, or no room for its copy.
    """
    try:
        view = _view(overlay, check)
        result = check_filesystem(view, reporter)
    except FormatError as error:
        finding = Finding("F0", Severity.INFO, f"its filesystem was not checked: {error}")
        return replace(check, findings=(*check.findings, finding)), ""
    return replace(check, findings=(*check.findings, *result.findings)), result.words


def _view(overlay: OpenOverlay, check: StoreCheck) -> ByteSource:
    """What the system would see as one filesystem; `FormatError` says why there is none."""
    if overlay.kind is PersistenceKind.DIRECTORY:
        raise FormatError("this overlay is a directory, not a filesystem of its own")
    if overlay.kind is PersistenceKind.IMAGE:
        assert overlay.source is not None
        return overlay.source
    origin = overlay.need_origin_bytes()
    fatal = {each.code for each in check.findings if each.severity is Severity.FATAL}
    if fatal - _VIEWABLE:
        raise FormatError("the overlay must be repaired first")
    if check.store is None:
        return origin
    return MergedView(origin, check.store, overlay.need_store(), duplicates=Duplicates.LAST)


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
