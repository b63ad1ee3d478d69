# SPDX-License-Identifier: Apache-2.0
"""Checks of a snapshot store, without changing it (reference section 3.1).

Each finding has the code of that section, says what the kernel does, and names the repair. The
sentences are for the owner of a stick, who calls a record an entry of the overlay's list, and
a chunk a piece of the system.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from liveos.formats.binary import ByteSource, FormatError, TruncatedError
from liveos.formats.exception_store import (
    FIRST_DATA_CHUNK,
    LIVEOS_CHUNK_SECTORS,
    ChunkSizeError,
    ExceptionStore,
    Geometry,
    Header,
    NotAStoreError,
    StoreError,
    VersionError,
    read_header,
    read_store,
)
from liveos.medium.overlay.faults import RULES, RecordFaults
from liveos.report import Finding, Severity

_PADDING_READ = 1 << 16
_HEADER_RULES = {
    NotAStoreError: ("H3", "write a new header, if this is an overlay at all"),
    VersionError: ("H4", None),
    ChunkSizeError: ("H5", "write a header with the size of pieces that the list shows"),
}
_DIES_WHEN_FULL = Finding(
    "S1",
    Severity.WARNING,
    "of this very size it dies when it is full, with everything in it, where others only stop"
    " taking changes",
    "enlarge it by one piece",
)
# LiveOS uses 8 sectors; the others are tried only to find a lost header's chunk size.
_LIKELY_CHUNK_SECTORS = (LIVEOS_CHUNK_SECTORS, 1, 2, 4, 16, 32, 64, 128)


class Level(IntEnum):
    """How much is looked at: the header, the shape of the list, every record."""

    HEADER = 0
    LIST = 1
    RECORDS = 2


class StoreState(StrEnum):
    """The state of a store in one word (design.md, ``overlay status``)."""

    BLANK = "blank"
    VALID = "valid"
    FULL = "full"
    INVALID = "invalid"
    DAMAGED = "damaged"


@dataclass(frozen=True, eq=False)
class StoreCheck:
    """What was found. ``store`` is None where its list could not be read at all."""

    state: StoreState
    findings: tuple[Finding, ...]
    store: ExceptionStore | None = None

    @property
    def is_clean(self) -> bool:
        """Nothing fatal and nothing to warn of."""
        return all(finding.severity is Severity.INFO for finding in self.findings)


def check_store(
    source: ByteSource, *, origin_size: int | None = None, level: Level = Level.RECORDS
) -> StoreCheck:
    """All checks up to ``level``; ``origin_size`` in bytes adds those that need the origin."""
    try:
        header = read_header(source)
    except TruncatedError:
        return StoreCheck(StoreState.DAMAGED, (_too_short(source.size),))
    if header.is_blank:
        return _check_blank(source)
    findings = list(_header_findings(source, header))
    if any(finding.severity is Severity.FATAL and finding.code != "H6" for finding in findings):
        return StoreCheck(StoreState.DAMAGED, tuple(findings))
    if level is Level.HEADER:
        state = StoreState.VALID if header.valid else StoreState.INVALID
        return StoreCheck(state, tuple(findings))
    try:
        store = read_store(source)
    except FormatError as error:
        findings.append(_fatal("A1", f"its list cannot be read: {error}"))
        return StoreCheck(StoreState.DAMAGED, tuple(findings))
    findings += _list_findings(store)
    if level is Level.RECORDS:
        findings += _record_findings(RecordFaults(store, _chunks_of(store, origin_size)))
        findings += _size_findings(store, _chunks_of(store, origin_size))
    return StoreCheck(_state(store, findings), tuple(findings), store)


def infer_header(source: ByteSource) -> Header | None:
    """The header that a store must have had, from its records; None where none fits.

    A chunk size fits when the list that it gives has records, ends, and has nothing wrong.
    """
    for sectors in _LIKELY_CHUNK_SECTORS:
        header = Header.new(Geometry(sectors))
        with suppress(FormatError):
            store = read_store(source, header=header)
            if store.count and store.terminated and not _has_fatal_records(store):
                return header
    return None


def _has_fatal_records(store: ExceptionStore) -> bool:
    findings = _record_findings(RecordFaults(store))
    return any(finding.severity is Severity.FATAL for finding in findings)


def _check_blank(source: ByteSource) -> StoreCheck:
    lost = infer_header(source)
    if lost:
        finding = _fatal(
            "H2",
            "the header is gone but a list follows it; the kernel would start anew and forget"
            " every change",
            f"write a header for pieces of {lost.geometry().chunk_size} bytes",
        )
        return StoreCheck(StoreState.DAMAGED, (finding,), read_store(source, header=lost))
    if Geometry(LIVEOS_CHUNK_SECTORS).chunks_in(source.size) < FIRST_DATA_CHUNK:
        return StoreCheck(StoreState.DAMAGED, (_too_short(source.size),))
    message = "the overlay has not been used; the kernel sets it up on the first start"
    findings = [Finding("H2", Severity.INFO, message)]
    geometry = Geometry(LIVEOS_CHUNK_SECTORS)
    if geometry.is_boundary(geometry.chunks_in(source.size)):
        findings.append(_DIES_WHEN_FULL)
    return StoreCheck(StoreState.BLANK, tuple(findings))


def _too_short(size: int) -> Finding:
    message = f"{size} bytes are too few for any overlay; the kernel refuses it (EIO)"
    return _fatal("H1", message, "enlarge the file with zeros")


def _header_findings(source: ByteSource, header: Header) -> Iterator[Finding]:
    try:
        geometry = header.geometry()
    except StoreError as error:
        code, repair = _HEADER_RULES[type(error)]
        yield _fatal(code, f"{error}; the kernel refuses it ({error.kernel_error})", repair)
        return
    if geometry.chunks_in(source.size) < FIRST_DATA_CHUNK:
        yield _too_short(source.size)
        return
    if header.valid == 0:
        yield _fatal(
            "H6",
            "the overlay is marked dead, as when it was full; the kernel fails every read and"
            " write of it",
            "enlarge it if it is full, mark it alive again, then check the filesystem",
        )
    padding = source.read_at(16, min(geometry.chunk_size, _PADDING_READ) - 16)
    if header.valid > 1 or any(padding):
        message = "the header is not as the kernel writes it, which the kernel accepts"
        yield Finding("H7", Severity.WARNING, message, "rewrite the header")


def _list_findings(store: ExceptionStore) -> Iterator[Finding]:
    if not store.terminated:
        yield _fatal(
            "A1",
            "the file ends before its list does, as when it was cut short; the kernel refuses it"
            " (EIO)",
            "enlarge the file with zeros",
        )
    if store.tail.records:
        yield _fatal(
            "A2",
            f"{store.tail.records} old entries lie behind the end of the list, the first at place"
            f" {store.tail.first}; the kernel ignores them now, but later they come back to life"
            " and damage files",
            "clear what lies behind the end",
        )
    if store.tail.strays:
        message = (
            f"{store.tail.strays} empty places of the list are not quite empty; the kernel ignores"
            " that"
        )
        yield Finding("A3", Severity.WARNING, message, "clear what lies behind the end")


def _record_findings(faults: RecordFaults) -> Iterator[Finding]:
    for rule in RULES:
        slots = rule.slots(faults)
        if len(slots):
            yield Finding(rule.code, rule.severity, rule.sentence(slots), rule.repair)
    if not faults.store.is_canonical:
        message = (
            "pieces do not lie in the order of the list, as kernels before 3.13 and other tools"
            f" leave them; {faults.leaked_chunks} of them have leaked"
        )
        yield Finding("R8", Severity.INFO, message)


def _size_findings(store: ExceptionStore, origin_chunks: int | None) -> Iterator[Finding]:
    geometry = store.geometry
    coverage = None if origin_chunks is None else geometry.chunks_for(origin_chunks)
    covers_all = coverage is not None and store.chunks >= coverage
    if store.dies_when_full() and not covers_all:
        yield _DIES_WHEN_FULL
    if not store.free_chunks() and not covers_all:
        message = "it is full; the kernel fails the next write to a part of the system not yet kept"
        yield Finding("S2", Severity.WARNING, message, "enlarge or compact it")
    if coverage is not None and store.chunks > coverage:
        spare = (store.chunks - coverage) * geometry.chunk_size
        message = f"it is {spare} bytes larger than all of the system can ever need"
        yield Finding("S3", Severity.INFO, message, "shrink it")
    if store.size % geometry.chunk_size:
        unused = store.size % geometry.chunk_size
        yield Finding("S4", Severity.INFO, f"its last {unused} bytes are never used")


def _state(store: ExceptionStore, findings: list[Finding]) -> StoreState:
    fatal = {finding.code for finding in findings if finding.severity is Severity.FATAL}
    if fatal - {"H6"}:
        return StoreState.DAMAGED
    if not store.is_valid:
        return StoreState.INVALID
    return StoreState.VALID if store.free_chunks() else StoreState.FULL


def _chunks_of(store: ExceptionStore, size: int | None) -> int | None:
    return None if size is None else -(-size // store.geometry.chunk_size)


def _fatal(code: str, message: str, repair: str | None = None) -> Finding:
    return Finding(code, Severity.FATAL, message, repair)
