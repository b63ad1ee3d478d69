# SPDX-License-Identifier: Apache-2.0
"""What must be true of a store, and of the root under it, before its contents are used."""

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from liveos.errors import NotPermittedError, RefusedError, UnsupportedError
from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import ExceptionStore
from liveos.formats.ext4.superblock import Superblock
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.medium.overlay.check import check_store
from liveos.medium.overlay.locate import OpenOverlay
from liveos.report import Severity

_CANNOT_WRITE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def sound_store(overlay: OpenOverlay) -> ExceptionStore:
    """The store's list, if the kernel would load it and nothing in it is ambiguous or lost.

    :raises UnsupportedError: it is blank, invalid or damaged.
    """
    source, origin = overlay.need_store(), overlay.need_origin_bytes()
    found = check_store(source, origin_size=origin.size)
    faults = [
        finding
        for finding in found.findings
        if finding.severity is Severity.FATAL or finding.code == "R3"
    ]
    if faults:
        raise UnsupportedError(
            f"{overlay.place}: {faults[0].message}",
            hint="liveos overlay check shows everything; liveos overlay repair mends it",
        )
    if found.store is None:
        raise UnsupportedError(f"{overlay.place} has not been used yet: it holds no changes")
    return found.store


def require_pair(overlay: OpenOverlay, view: ByteSource) -> None:
    """:raises RefusedError: the view is another filesystem than the root; a store names none."""
    below, above = _identity(overlay.need_origin_bytes()), _identity(view)
    if below is not None and above is not None and below != above:
        raise RefusedError(
            f"{overlay.need_origin().name} has the filesystem {below}, but with the changes of"
            f" {overlay.place} it is {above}: they do not belong together",
            hint="give the root that the overlay was made for with --origin",
        )


@contextmanager
def kept_from_others(*places: FolderFile, reading: bool = False) -> Iterator[None]:
    """Exclusive use of the files during the body, each container held once.

    Who only reads may go on where nothing can be written, once it is known to be in no use.
    """
    with ExitStack() as stack:
        held: list[FolderFile] = []
        for place in places:
            shared = not isinstance(place.folder, HostFolder)
            if not (shared and any(place.folder == other.folder for other in held)):
                _hold(stack, place, reading=reading)
            held.append(place)
        yield


@contextmanager
def damage_named(what: object) -> Iterator[None]:
    """Bytes that are not what they should be, met while a step is done, as an error with a name."""
    try:
        yield
    except FormatError as error:
        raise UnsupportedError(
            f"{what}: {error}", hint="liveos overlay check says what is wrong"
        ) from error


def _hold(stack: ExitStack, place: FolderFile, *, reading: bool) -> None:
    try:
        stack.enter_context(place.hold())
    except NotPermittedError:
        if not reading:
            raise
    except OSError as error:
        if not reading or error.errno not in _CANNOT_WRITE:
            raise


def _identity(source: ByteSource) -> str | None:
    """The UUID of an ext filesystem; None for anything else."""
    try:
        return Superblock.checked(source).uuid
    except FormatError:
        return None
