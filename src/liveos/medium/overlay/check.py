# SPDX-License-Identifier: Apache-2.0
"""Checks of a snapshot store, without changing it (reference section 3.1).

Each finding has the code of that section, says what the kernel does, and names the repair.
"""

from collections.abc import Callable, Iterator
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
from liveos.medium.overlay.faults import RecordFaults, Slots
from liveos.report import Finding, Severity

_PADDING_READ = 1 << 16
_HEADER_RULES = {
    NotAStoreError: ("H3", "write a new header, if this is a store at all"),
    VersionError: ("H4", None),
    ChunkSizeError: ("H5", "write a header with the chunk size that the records show"),
}
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
        findings.append(_fatal("A1", f"the list of exceptions cannot be read: {error}"))
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
            "the header is zero but records follow it; the kernel would start anew and forget them",
            f"write a header with chunks of {lost.chunk_sectors} sectors",
        )
        return StoreCheck(StoreState.DAMAGED, (finding,), read_store(source, header=lost))
    if Geometry(LIVEOS_CHUNK_SECTORS).chunks_in(source.size) < FIRST_DATA_CHUNK:
        return StoreCheck(StoreState.DAMAGED, (_too_short(source.size),))
    message = "the store has not been used; the kernel makes it a new one on its first start"
    return StoreCheck(StoreState.BLANK, (Finding("H2", Severity.INFO, message),))


def _too_short(size: int) -> Finding:
    message = f"{size} bytes have no room for a header and an area; the kernel refuses it (EIO)"
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
            "the store is marked invalid; the kernel fails every read and write",
            "enlarge it if it is full, then mark it valid again, then check the filesystem",
        )
    padding = source.read_at(16, min(geometry.chunk_size, _PADDING_READ) - 16)
    if header.valid > 1 or any(padding):
        message = "the header is not as the kernel writes it, which the kernel accepts"
        yield Finding("H7", Severity.WARNING, message, "rewrite the header")


def _list_findings(store: ExceptionStore) -> Iterator[Finding]:
    if not store.terminated:
        yield _fatal(
            "A1",
            "the file ends before the list of exceptions does; the kernel refuses it (EIO)",
            "enlarge the file by a chunk of zeros, or drop the last record",
        )
    if store.tail.records:
        yield _fatal(
            "A2",
            f"{store.tail.records} records lie behind the end of the list, the first in slot"
            f" {store.tail.first}; the kernel ignores them now and revives them later",
            "clear the slots behind the end",
        )
    if store.tail.strays:
        message = f"{store.tail.strays} empty slots still name a chunk; the kernel ignores that"
        yield Finding("A3", Severity.WARNING, message, "clear the slots behind the end")


def _record_findings(faults: RecordFaults) -> Iterator[Finding]:
    for rule in _RULES:
        slots = rule.slots(faults)
        if len(slots):
            message = f"{len(slots)} records, the first in slot {slots[0]}, {rule.what}"
            yield Finding(rule.code, rule.severity, message, rule.repair)
    if not faults.store.is_canonical:
        message = (
            f"the order is not that of kernels since 3.13; {faults.leaked_chunks} chunks leaked"
        )
        yield Finding("R8", Severity.INFO, message)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule for records: what is said when slots break it, and what to do with them."""

    code: str
    slots: Callable[[RecordFaults], Slots]
    what: str
    repair: str | None = "drop them"
    severity: Severity = Severity.FATAL


_RULES = (
    _Rule(
        "R1",
        lambda faults: faults.beyond_store,
        "have data behind the end of the store; the kernel fails to read them and can allocate"
        " nothing more",
    ),
    _Rule(
        "R2",
        lambda faults: faults.on_metadata,
        "have data in the header or in an area; the kernel shows metadata as file content and"
        " may overwrite it",
    ),
    _Rule(
        "R3",
        lambda faults: faults.beyond_origin,
        "are for chunks that the origin does not have; the kernel never reads them, but a merge"
        " fails on them",
        severity=Severity.WARNING,
    ),
    _Rule(
        "R4",
        lambda faults: faults.conflicting,
        "map a chunk again, to other data; kernels differ in which one they take",
        "keep the first or the last, as you choose",
    ),
    _Rule(
        "R5",
        lambda faults: faults.repeated,
        "repeat an earlier one, which is harmless",
        severity=Severity.WARNING,
    ),
    _Rule(
        "R6",
        lambda faults: faults.shared,
        "share their data chunk with an earlier one; a write to one shows in both",
        None,
    ),
    _Rule(
        "R7",
        lambda faults: faults.misread,
        "name a chunk that no store can have; the kernel takes a part of it for a length",
    ),
)


def _size_findings(store: ExceptionStore, origin_chunks: int | None) -> Iterator[Finding]:
    geometry = store.geometry
    coverage = None if origin_chunks is None else geometry.chunks_for(origin_chunks)
    covers_all = coverage is not None and store.chunks >= coverage
    if store.dies_when_full() and not covers_all:
        yield Finding(
            "S1", Severity.WARNING,
            "of this size the store becomes Invalid when it fills, not read-only as others do",
            "enlarge it by one chunk",
        )  # fmt: skip
    if not store.free_chunks() and not covers_all:
        message = "no chunk is free; the kernel fails the next write to an unchanged chunk"
        yield Finding("S2", Severity.WARNING, message, "enlarge or compact it")
    if coverage is not None and store.chunks > coverage:
        spare = (store.chunks - coverage) * geometry.chunk_size
        message = f"the store is {spare} bytes larger than the whole origin needs"
        yield Finding("S3", Severity.INFO, message, "shrink it")
    if store.size % geometry.chunk_size:
        unused = store.size % geometry.chunk_size
        yield Finding("S4", Severity.INFO, f"the last {unused} bytes are part of no chunk")


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
