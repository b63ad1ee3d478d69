# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay resize`` (reference 3.3, enlarge and shrink)."""

from dataclasses import dataclass, replace

import numpy as np

from liveos.errors import NoSpaceError, RefusedError, UnsupportedError, UsageError
from liveos.formats.binary import ByteSource
from liveos.formats.exception_store import (
    LIVEOS_CHUNK_SECTORS,
    ExceptionStore,
    Geometry,
    Header,
    Tail,
    store_status,
)
from liveos.host.folders.folder import require_room
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import StoreCheck, StoreState, check_store
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.sizing import coverage_chunks, least_chunks
from liveos.operations.overlay.compaction import Compaction
from liveos.operations.overlay.plans import compact
from liveos.operations.overlay.plans.compact import CompactRequest
from liveos.operations.plan import Plan
from liveos.operations.steps.overlay import ResizeStore, Subject
from liveos.report import NullReporter, Reporter, Severity
from liveos.sizes import Size, format_size, parse_size

_LEAST_CHUNKS = 3
_HEADROOM = 64 << 20
_HEADROOM_PART = 10
# Invalid, or cut off before the end of its list: enlarging is the first half of the cure.
_CURABLE = frozenset({"H6", "A1"})
_EXAMPLES = "write 4G, +512M, -1G, +50% or max"


@dataclass(frozen=True, slots=True)
class Wish:
    """The size that a person asks for: with a ``sign``, so much more or less than it is now.

    ``size`` None is the largest that can be of use. A percentage is one of the present size.
    """

    sign: int
    size: Size | None

    def of(self, present: int) -> int:
        """The wish in bytes, where there is a size."""
        assert self.size is not None
        amount = self.size.of(present, left=present)
        return present + self.sign * amount if self.sign else amount


def parse_wish(text: str) -> Wish:
    """:raises UsageError: it is no size."""
    word = text.strip()
    if word.lower() == "max":
        return Wish(0, None)
    sign = {"+": 1, "-": -1}.get(word[:1], 0)
    amount = word[1:] if sign else word
    if not amount[:1].isdigit():
        raise UsageError(f"{text!r} is not a size for an overlay", hint=_EXAMPLES)
    size = parse_size(amount)
    return Wish(sign, size)


def plan(
    overlay: OpenOverlay, subject: Subject, wish: Wish, reporter: Reporter | None = None
) -> Plan:
    """Change the size of a store; no steps when it has the right one.

    One that is too full for a smaller size is compacted to it, where its root is known; only
    then are all its data read, as the reporter tells.

    :raises RefusedError: it would no longer hold what is in it.
    :raises NoSpaceError: there is no room, or the filesystem takes no file of this size.
    """
    bounds = _bounds(overlay, subject.spec)
    store, present = bounds.store, bounds.store.size
    wanted = max(present, bounds.largest()) if wish.size is None else wish.of(present)
    if wanted < present and _needs_compaction(bounds, wanted):
        return _compacted(overlay, subject, bounds.in_chunks(wanted), reporter or NullReporter())
    size, notes = _larger(bounds, wanted) if wanted > present else _smaller(bounds, wanted)
    if size == present:
        return Plan(f"leave {subject} as large as it is", (), notes=notes)
    require_room(size - present, overlay.place.folder.free(), overlay.place.folder)
    line = store_status(replace(store, size=size, terminated=True))
    return Plan(
        title=f"resize {subject} from {format_size(present)} to {format_size(size)}",
        steps=(ResizeStore(subject, present, size),),
        notes=(*notes, f"dmsetup status will say {line}"),
    )


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What limits the size of a store: its content, its root in chunks, its filesystem in bytes."""

    spec: str
    store: ExceptionStore
    state: StoreState
    coverage: int | None
    limit: int | None

    @property
    def geometry(self) -> Geometry:
        return self.store.geometry

    def in_chunks(self, size: int) -> int:
        return -(-size // self.geometry.chunk_size)

    def in_bytes(self, chunks: int) -> int:
        return chunks * self.geometry.chunk_size

    def largest(self) -> int:
        """The largest size that can be of use, in bytes."""
        if self.coverage is None and self.limit is None:
            raise UsageError(
                "how large the overlay can usefully be is known only with its root",
                hint="name the root with --origin, or give a size",
            )
        chunks = [self.coverage] if self.coverage is not None else []
        if self.limit is not None:
            most = self.limit // self.geometry.chunk_size
            chunks.append(most - self.geometry.is_boundary(most))
        return self.in_bytes(min(chunks))


def _bounds(overlay: OpenOverlay, spec: str) -> _Bounds:
    if overlay.kind is not PersistenceKind.SNAPSHOT:
        raise _no_store(overlay)
    source = overlay.need_store()
    check = check_store(source)
    store = _resizable(check, source, overlay)
    origin = overlay.origin.source if overlay.origin is not None else None
    coverage = None if origin is None else coverage_chunks(store, origin.size)
    return _Bounds(spec, store, check.state, coverage, overlay.place.folder.limit())


def _no_store(overlay: OpenOverlay) -> UnsupportedError:
    if overlay.kind is PersistenceKind.DIRECTORY:
        return UnsupportedError(
            f"{overlay.place} is a directory, which has no size of its own to change",
            hint="it can grow as long as its filesystem has room: liveos overlay status shows that",
        )
    return UnsupportedError(
        f"{overlay.place} holds a filesystem of its own, which would have to be resized with it",
        hint="for ext4: e2fsck -f, truncate and resize2fs on the file, while it is not in use",
    )


def _resizable(check: StoreCheck, source: ByteSource, overlay: OpenOverlay) -> ExceptionStore:
    """The store, if nothing is wrong with it but what a larger size is part of the cure for."""
    if check.state is StoreState.BLANK:
        nothing = np.empty(0, np.uint32)
        header = Header.new(Geometry(LIVEOS_CHUNK_SECTORS))
        return ExceptionStore(header, source.size, nothing, nothing, Tail(), terminated=True)
    fatal = {each.code for each in check.findings if each.severity is Severity.FATAL}
    if check.store is None or fatal - _CURABLE:
        raise UnsupportedError(
            f"{overlay.place} is damaged, and is not resized as it is",
            hint="liveos overlay check says what is wrong, liveos overlay repair mends it",
        )
    return check.store


def _larger(bounds: _Bounds, wanted: int) -> tuple[int, tuple[str, ...]]:
    geometry, chunks, most = bounds.geometry, bounds.in_chunks(wanted), bounds.coverage
    notes: tuple[str, ...] = ()
    if most is not None and chunks > most:
        notes = ("it has room for every chunk of its root then: more would never be used",)
        if most <= bounds.store.chunks:
            return bounds.store.size, notes
        chunks = most
    chunks = max(chunks, least_chunks(bounds.store))
    if geometry.is_boundary(chunks):
        chunks, notes = chunks + 1, (_boundary_note(bounds),)
    size = bounds.in_bytes(chunks)
    if bounds.limit is not None and size > bounds.limit:
        raise NoSpaceError(
            f"the filesystem takes files of up to {format_size(bounds.limit)} less a byte, and"
            f" {format_size(size)} are asked for",
            hint="the largest that is possible here is: max",
        )
    return size, notes


def _smaller(bounds: _Bounds, wanted: int) -> tuple[int, tuple[str, ...]]:
    """:raises RefusedError: there would be no room for what is in it, and a little more."""
    store, geometry, chunks = bounds.store, bounds.geometry, bounds.in_chunks(max(0, wanted))
    if wanted == store.size:
        return wanted, ()
    if bounds.state not in {StoreState.BLANK, StoreState.VALID, StoreState.FULL}:
        raise RefusedError(
            f"an overlay that is {bounds.state} is not made smaller", hint="repair it first"
        )
    least = geometry.off_boundary(max(_LEAST_CHUNKS, least_chunks(store)))
    if chunks < _roomy(geometry, least, store.count):
        raise RefusedError(
            f"{format_size(bounds.in_bytes(least))} of it are in use; the least size, with a little"
            f" room for changes, is {_kilobytes(geometry, _roomy(geometry, least, store.count))}",
            hint="name the root with --origin, and what its files no longer use is given back",
        )
    if geometry.is_boundary(chunks):
        return bounds.in_bytes(chunks + 1), (_boundary_note(bounds),)
    return bounds.in_bytes(chunks), ()


def _roomy(geometry: Geometry, least: int, records: int) -> int:
    """``least`` chunks with a little room for changes, if there are any yet."""
    size = least * geometry.chunk_size
    room = min(_HEADROOM, size // _HEADROOM_PART) if records else 0
    return geometry.off_boundary(least + -(-room // geometry.chunk_size))


def _kilobytes(geometry: Geometry, chunks: int) -> str:
    return f"{-(-chunks * geometry.chunk_size // 1024)}K"


def _needs_compaction(bounds: _Bounds, wanted: int) -> bool:
    """Whether a smaller size is possible only for what is live; its root must be known for that."""
    store, geometry = bounds.store, bounds.geometry
    if bounds.coverage is None or bounds.state not in {StoreState.VALID, StoreState.FULL}:
        return False
    least = geometry.off_boundary(max(_LEAST_CHUNKS, least_chunks(store)))
    return store.count > 0 and bounds.in_chunks(wanted) < _roomy(geometry, least, store.count)


def _compacted(overlay: OpenOverlay, subject: Subject, chunks: int, reporter: Reporter) -> Plan:
    """:raises RefusedError: what is live, with a little room, does not fit either."""
    reporter.step("Compare what changed with the root", 1, 1)
    facts = Compaction.of(overlay, reporter.progress)
    geometry = facts.geometry
    least = _roomy(geometry, facts.least_chunks, len(facts.live))
    if chunks < least:
        raise RefusedError(
            f"{format_size(facts.least_chunks * geometry.chunk_size)} of it are in use even when it"
            f" is compacted; the least size, with a little room, is {_kilobytes(geometry, least)}",
            hint="liveos overlay diff shows which files take the room",
        )
    request = CompactRequest(size=chunks * geometry.chunk_size)
    made = compact.plan(overlay, subject, request, facts)
    note = "it is too full to be made as small as that, and is compacted on the way"
    return replace(made, notes=(note, *made.notes))


def _boundary_note(bounds: _Bounds) -> str:
    size = format_size(bounds.geometry.chunk_size)
    return f"{size} more than asked for: of just that size it would become invalid when it fills"
