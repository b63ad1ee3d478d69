# SPDX-License-Identifier: Apache-2.0
"""What must be done to a damaged store, decided from its metadata alone (reference 3.1 to 3.3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from liveos.errors import RefusedError, UnsupportedError
from liveos.formats.binary import ByteSource, FormatError, TruncatedError
from liveos.formats.exception_store import (
    Duplicates,
    ExceptionStore,
    Header,
    NotAStoreError,
    VersionError,
    read_header,
    read_store,
)
from liveos.formats.exception_store.edit import allocated
from liveos.medium.overlay.check import infer_header
from liveos.medium.overlay.faults import RecordFaults, Slots
from liveos.medium.overlay.sizing import coverage_chunks, least_chunks
from liveos.operations.steps.overlay import Choices

# A full store that is made alive again gets room to go on: an eighth more, and so much at least.
_LEAST_ROOM = 16 << 20
_HEADER_READ = 1 << 16


@dataclass(frozen=True, eq=False)
class Mending:
    """The store as it is read, and what is to be done to it.

    ``dropped`` are the records to be taken out, by the code of what is wrong with them;
    ``shared`` are slots whose data get a place of their own. ``size`` is the file's size
    afterwards, in bytes.
    """

    store: ExceptionStore
    writes_header: bool
    rebuilds_header: bool
    clears_tail: bool
    dropped: Mapping[str, Slots]
    shared: Slots
    size: int

    @property
    def unwanted(self) -> Slots:
        """All slots to be dropped, ascending."""
        return _union(self.dropped.values())

    @property
    def is_needed(self) -> bool:
        """Whether anything is wrong that is repaired here."""
        return bool(
            self.writes_header
            or self.clears_tail
            or len(self.unwanted)
            or len(self.shared)
            or self.size != self.store.size
        )


def decide(source: ByteSource, origin_size: int | None, choices: Choices) -> Mending:
    """What must be done; ``origin_size`` in bytes, where the origin is known.

    :raises RefusedError: a choice is missing.
    :raises UnsupportedError: nothing tells what the store was, or it is empty.
    """
    found = _found(source)
    header = _usable(found, source, choices)
    try:
        store = read_store(source, header=header)
    except FormatError as error:
        raise UnsupportedError(f"its list cannot be read: {error}") from error
    dropped = _unusable(store, origin_size)
    dropped |= _repeated(store, _rest(store, dropped), choices.keep)
    left = _rest(store, dropped)
    shared = left[RecordFaults(_part(store, left)).shared]
    return Mending(
        store=store,
        writes_header=header != found or found.valid != 1 or _has_padding(source, store),
        rebuilds_header=header != found,
        clears_tail=store.tail.first is not None,
        dropped={code: slots for code, slots in dropped.items() if len(slots)},
        shared=shared,
        size=fitting_size(with_more(_part(store, left), len(shared)), origin_size),
    )


def fitting_size(store: ExceptionStore, origin_size: int | None) -> int:
    """The least size, from the present one up, at which a store loads and does not die or stop.

    One that is full gets room. A store that covers all of its origin never fills.
    """
    chunk, chunks = store.geometry.chunk_size, store.chunks
    coverage = None if origin_size is None else coverage_chunks(store, origin_size)
    wanted = max(chunks, least_chunks(store))
    if coverage is not None and wanted >= coverage:
        return store.size if wanted == chunks else wanted * chunk
    if not replace(store, size=wanted * chunk).free_chunks():
        wanted += max(wanted // 8, _LEAST_ROOM // chunk)
        wanted = min(wanted, coverage) if coverage is not None else wanted
    while wanted != coverage and replace(store, size=wanted * chunk).dies_when_full():
        wanted += 1
    return store.size if wanted == chunks else wanted * chunk


def with_more(store: ExceptionStore, count: int) -> ExceptionStore:
    """The same store with ``count`` further data chunks in use, for chunks it has already."""
    new = np.concatenate((store.new.astype(np.uint64), allocated(store, count).astype(np.uint64)))
    old = np.concatenate((store.old, np.resize(store.old[:1], count)))
    return replace(store, old=old, new=new)


def _found(source: ByteSource) -> Header:
    try:
        return read_header(source)
    except TruncatedError as error:
        raise UnsupportedError(f"{source.size} bytes hold nothing to repair") from error


def _usable(found: Header, source: ByteSource, choices: Choices) -> Header:
    """The header, or the one that the records show where it is lost."""
    try:
        found.geometry()
    except VersionError as error:
        raise UnsupportedError(str(error), hint="no kernel has ever written it") from error
    except NotAStoreError as error:
        if not choices.force_header:
            raise RefusedError(
                f"{error}; it may be something else",
                hint="if you know that it was an overlay, add --force-header",
            ) from error
    except FormatError:
        pass
    else:
        return found
    shown = infer_header(source)
    if shown is None:
        what = "it has not been used, or" if found.is_blank else "the header is damaged, and"
        raise UnsupportedError(f"{what} no list of changes can be found in it")
    return shown


def _has_padding(source: ByteSource, store: ExceptionStore) -> bool:
    """Whether anything follows the header where the kernel writes zeros (H7)."""
    size = Header.layout().size
    end = min(store.geometry.chunk_size, _HEADER_READ, source.size)
    return any(source.read_at(size, end - size))


def _unusable(store: ExceptionStore, origin_size: int | None) -> dict[str, Slots]:
    """Records that lead nowhere, each under the first code that fits."""
    chunk = store.geometry.chunk_size
    faults = RecordFaults(store, None if origin_size is None else -(-origin_size // chunk))
    found: dict[str, Slots] = {}
    for code, slots in (
        ("R7", faults.misread),
        ("R1", faults.beyond_store),
        ("R2", faults.on_metadata),
        ("R3", faults.beyond_origin),
    ):
        found[code] = np.setdiff1d(slots, _union(found.values()))
    return found


def _repeated(store: ExceptionStore, left: Slots, keep: Duplicates | None) -> dict[str, Slots]:
    """Of several records for a chunk all but one: the first, or the last if that is chosen.

    :raises RefusedError: they contradict each other, and nothing is chosen.
    """
    faults = RecordFaults(_part(store, left))
    conflicts = len(faults.conflicting)
    if conflicts and keep is None:
        raise RefusedError(
            f"{conflicts} entries keep a part of the system a second time, with another content:"
            " Linux 6.1 shows the first, Linux 6.12 and Linux before 5.2 the last",
            hint="choose with --keep first or --keep last; try both into new files, and look",
        )
    if keep is Duplicates.LAST:
        turned = RecordFaults(_part(store, left[::-1]))
        again = np.sort(left[::-1][np.union1d(turned.repeated, turned.conflicting)])
    else:
        again = left[np.union1d(faults.repeated, faults.conflicting)]
    return {"R4" if conflicts else "R5": again}


def _rest(store: ExceptionStore, dropped: Mapping[str, Slots]) -> Slots:
    """The slots that stay."""
    return np.setdiff1d(np.arange(store.count), _union(dropped.values()))


def _part(store: ExceptionStore, slots: Slots) -> ExceptionStore:
    """The store with these records alone."""
    return replace(store, old=store.old[slots], new=store.new[slots])


def _union(parts: Iterable[Slots]) -> Slots:
    return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))
