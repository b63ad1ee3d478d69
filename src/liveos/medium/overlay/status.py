# SPDX-License-Identifier: Apache-2.0
"""How full an overlay is and what it is heading for: the facts of ``overlay status``.

Of a snapshot store only its metadata chunks are read, of its origin only the size.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import (
    LIVEOS_CHUNK_SECTORS,
    SECTOR,
    ExceptionStore,
    Geometry,
    Usage,
    status_line,
    store_status,
    usage,
)
from liveos.formats.identify import identify
from liveos.formats.tree import FileKind
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.check import Level, StoreCheck, StoreState, check_store
from liveos.medium.overlay.forecast import (
    Ending,
    Forecast,
    forecast,
    forecast_blank,
    has_duplicates,
)
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.upper import UPPER_IN_IMAGE, Contents, contents
from liveos.medium.volume import Volume, open_volume
from liveos.report import Finding, Severity

_NEARLY_FULL = 0.9
# What the kernel takes when it first loads a store: the header and an area.
_FRESH_CHUNKS = 2


@dataclass(frozen=True, slots=True)
class OverlayStatus:
    """The status of one overlay. What is not known, or has no meaning for its kind, is None.

    ``path`` is how people see its place. ``size`` is that of the store or the image file, in
    bytes; ``free_size`` what can still be written there, for a directory what its filesystem has
    left. ``usage`` are the numbers of the status line, in sectors. ``filesystem`` is the one
    inside an image file or around a directory, or the root that is written to itself; then the
    sizes are its. ``read_only`` means that the boot entry that comes first does not write to it.
    """

    kind: PersistenceKind
    path: str
    state: StoreState
    size: int | None = None
    free_size: int | None = None
    free_chunks: int | None = None
    status_line: str | None = None
    usage: Usage | None = None
    chunk_sectors: int | None = None
    exceptions: int | None = None
    forecast: Forecast | None = None
    origin: str | None = None
    filesystem: str | None = None
    contents: Contents | None = None
    read_only: bool = False
    warnings: tuple[Finding, ...] = ()

    @property
    def is_readable(self) -> bool:
        """Whether there is anything to tell beside what is wrong with it."""
        return self.state is not StoreState.DAMAGED or self.exceptions is not None

    @property
    def chunk_size(self) -> int | None:
        """Bytes of a chunk."""
        return None if self.chunk_sectors is None else self.chunk_sectors * SECTOR

    @property
    def fullness(self) -> float | None:
        """The part of it that is taken, from 0 to 1."""
        if self.state is StoreState.BLANK:
            return 0.0
        if self.state is StoreState.DAMAGED:
            return None
        if self.usage is not None and self.usage.total:
            return min(1.0, self.usage.allocated / self.usage.total)
        if self.size and self.free_size is not None and self.usage is None:
            return 1 - self.free_size / self.size
        return None


def overlay_status(overlay: OpenOverlay, spec: str) -> OverlayStatus:
    """The status of an overlay; ``spec`` is how the person named it, for the next commands.

    :raises FormatError: a directory or an image of which nothing can be read.
    """
    status = _of_kind(overlay, spec)
    warnings = (*overlay.findings, *status.warnings)
    return replace(status, read_only=overlay.read_only, warnings=warnings)


def _of_kind(overlay: OpenOverlay, spec: str) -> OverlayStatus:
    match overlay.kind:
        case PersistenceKind.SNAPSHOT:
            return _of_snapshot(overlay, spec)
        case PersistenceKind.DIRECTORY:
            return _of_directory(overlay)
        case PersistenceKind.IMAGE:
            return _of_image(overlay)
        case PersistenceKind.DIRECT:
            return _of_root(overlay)


def _of_snapshot(overlay: OpenOverlay, spec: str) -> OverlayStatus:
    source, path, origin = overlay.need_store(), str(overlay.place), overlay.origin
    if origin is None or origin.source is None:
        return of_store(source, path, spec)
    return replace(of_store(source, path, spec, origin.source.size), origin=origin.name)


def of_store(
    source: ByteSource, path: str, spec: str, origin_size: int | None = None
) -> OverlayStatus:
    """The status of a snapshot store by its bytes alone; ``origin_size`` is in bytes."""
    check = _checked(source)
    status = OverlayStatus(PersistenceKind.SNAPSHOT, path, check.state, size=source.size)
    if check.state is StoreState.BLANK:
        status = _blank(status, source, origin_size)
    elif check.store is not None:
        status = _filled(status, check.store, origin_size)
    findings = (*_grave(check), *_advice(status, shlex.quote(spec)))
    return replace(status, warnings=findings)


def _checked(source: ByteSource) -> StoreCheck:
    """The list without its records, as long as they look like those of a kernel.

    Looking at each record costs several times more, and is done only where it may matter.
    """
    check = check_store(source, level=Level.LIST)
    return check_store(source) if check.store and _is_suspicious(check.store) else check


def _is_suspicious(store: ExceptionStore) -> bool:
    """Whether any rule for records may be broken (codes R1 to R7 of the reference)."""
    if not store.count:
        return False
    beyond = int(store.new.max()) >= store.chunks
    return beyond or not store.is_canonical or has_duplicates(store)


def _blank(status: OverlayStatus, source: ByteSource, origin_size: int | None) -> OverlayStatus:
    geometry = Geometry(LIVEOS_CHUNK_SECTORS)
    fresh = _FRESH_CHUNKS * geometry.chunk_sectors
    free = geometry.data_chunks_in(geometry.chunks_in(source.size))
    return replace(
        status,
        free_size=free * geometry.chunk_size,
        free_chunks=free,
        status_line=status_line(source),
        usage=Usage(fresh, source.size // SECTOR, fresh),
        chunk_sectors=geometry.chunk_sectors,
        exceptions=0,
        forecast=forecast_blank(geometry, source.size, origin_size),
    )


def _filled(status: OverlayStatus, store: ExceptionStore, origin_size: int | None) -> OverlayStatus:
    loads = store.terminated
    alive = status.state in {StoreState.VALID, StoreState.FULL}
    free = store.free_chunks() if alive else 0
    known = status.state is not StoreState.DAMAGED
    return replace(
        status,
        free_size=free * store.geometry.chunk_size if known else None,
        free_chunks=free if known else None,
        status_line=store_status(store) if loads else None,
        usage=usage(store) if loads else None,
        chunk_sectors=store.geometry.chunk_sectors,
        exceptions=store.count,
        forecast=forecast(store, origin_size) if alive else None,
    )


def _grave(check: StoreCheck) -> Iterator[Finding]:
    """What the check warns of, but for what `_advice` says in more words."""
    for finding in check.findings:
        if finding.severity is not Severity.INFO and finding.code not in {"S1", "S2"}:
            yield finding


def _advice(status: OverlayStatus, spec: str) -> Iterator[Finding]:
    """What the size and the fullness call for, with the command that does it."""
    if status.state in {StoreState.INVALID, StoreState.DAMAGED}:
        message = "perhaps it can be mended; liveos overlay check says more"
        yield Finding("repair", Severity.INFO, message, f"liveos overlay repair {spec}")
    coming, chunk = status.forecast, status.chunk_size
    if coming is None or chunk is None or coming.ending is Ending.NEVER:
        return
    if coming.ending is Ending.INVALID:
        yield Finding(
            "S1",
            Severity.WARNING,
            "of just this size, the kernel declares the overlay invalid when it fills, and every"
            " change is lost",
            f"liveos overlay resize {spec} +{chunk // 1024 or 1}K",
        )
    remedy = f"liveos overlay compact {spec}, or liveos overlay resize {spec} +512M"
    if not coming.new_chunks:
        message = "it is full: the next change of an unchanged chunk fails"
        yield Finding("S2", Severity.WARNING, message, remedy)
    elif status.fullness is not None and status.fullness >= _NEARLY_FULL:
        yield Finding("nearly-full", Severity.WARNING, "it is nearly full", remedy)


def _of_directory(overlay: OpenOverlay) -> OverlayStatus:
    assert overlay.upper is not None
    volume, node = overlay.upper
    free = _room_around(overlay, volume)
    return OverlayStatus(
        PersistenceKind.DIRECTORY,
        str(overlay.place),
        StoreState.FULL if free == 0 else StoreState.VALID,
        free_size=free,
        filesystem=None if volume.filesystem == "directory" else volume.filesystem,
        contents=contents(volume.tree, node),
    )


def _room_around(overlay: OpenOverlay, volume: Volume) -> int | None:
    if volume.filesystem == "directory":
        return overlay.place.folder.free()
    return _free(volume)


def _free(volume: Volume) -> int | None:
    if volume.size is None or volume.used_size is None:
        return None
    return max(0, volume.size - volume.used_size)


def _of_image(overlay: OpenOverlay) -> OverlayStatus:
    status, volume = _of_file(overlay)
    return status if volume is None else _with_contents(status, volume)


def _of_root(overlay: OpenOverlay) -> OverlayStatus:
    """A root that is written to itself: as full as its filesystem."""
    status, volume = _of_file(overlay)
    if volume is None:
        return status
    free = _free(volume)
    state = StoreState.FULL if free == 0 else StoreState.VALID
    return replace(status, state=state, size=volume.size, free_size=free)


def _of_file(overlay: OpenOverlay) -> tuple[OverlayStatus, Volume | None]:
    """What is known of a file with a filesystem in it, and that, where it can be read."""
    assert overlay.source is not None
    identity = identify(overlay.source)
    status = OverlayStatus(
        overlay.kind,
        str(overlay.place),
        StoreState.VALID,
        size=overlay.source.size,
        filesystem=None if identity is None else str(identity.kind),
    )
    try:
        return status, open_volume(overlay.source, Path(overlay.place.name), None)
    except FormatError as error:
        message = f"how full it is cannot be told without mounting it: {error}"
        return replace(status, warnings=(Finding("unread-image", Severity.INFO, message),)), None


def _with_contents(status: OverlayStatus, volume: Volume) -> OverlayStatus:
    free = _free(volume)
    state = StoreState.FULL if free == 0 else StoreState.VALID
    upper = volume.tree.lookup(UPPER_IN_IMAGE)
    if upper is None or upper.kind is not FileKind.DIRECTORY:
        message = f"it has no directory {UPPER_IN_IMAGE}, so the initramfs will not use it"
        finding = Finding("image-without-upper", Severity.WARNING, message)
        return replace(status, state=state, free_size=free, warnings=(finding,))
    return replace(status, state=state, free_size=free, contents=contents(volume.tree, upper))
