# SPDX-License-Identifier: Apache-2.0
"""Directories whose files can be changed so that a power cut leaves the old state or the new one.

A directory may be one of the machine (`HostFolder`), or lie inside an unmounted filesystem of a
stick (``ext4_folder``, ``fat_folder``). All are values, so that plans may hold them.

What `HostFolder` relies on of POSIX and Linux: after fdatasync(2) returns, the data written
before survive a power cut; fsync(2) of a file adds its size, fsync of a directory the names made
or changed in it; rename(2) replaces a name at once, and what a cut leaves is the old or the new
file; open with O_EXCL makes a name or fails; what ftruncate(2) adds reads as zeros.
"""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from liveos.errors import NoSpaceError, RefusedError
from liveos.formats.binary import ByteSource, TruncatedError
from liveos.host import disk
from liveos.host.folders.blocks import (
    allocate,
    free_bytes,
    is_whole,
    missing_bytes,
    write_in_place,
)
from liveos.host.folders.write_behind import WriteBehind
from liveos.host.hold import hold
from liveos.sizes import format_size


class StoredFile(Protocol):
    """An open file of fixed size: a `ByteSource` and a `ByteSink` in one.

    What `write_at` has written may or may not survive a power cut, in any order, down to the
    sector, until `flush` returns.
    """

    @property
    def size(self) -> int:
        """Length in bytes; it does not change while the file is open."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes at ``offset``; `TruncatedError` beyond the end."""

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of ``data`` at ``offset``; `TruncatedError` beyond the end."""

    def flush(self) -> None:
        """Return when everything written before is durable."""


class Folder(Protocol):
    """A directory of files. Names are single components; ``str`` is how people see the place.

    A name that is not there raises `FileNotFoundError`; one that is no regular file is refused.
    """

    def open(self, name: str, *, writable: bool = False) -> AbstractContextManager[StoredFile]:
        """An existing file, read and written in place."""

    def create(
        self, name: str, size: int, *, room: int | None = None
    ) -> AbstractContextManager[StoredFile]:
        """A new file of ``size`` bytes that read as zeros.

        It is durable with its data when the body ends without an error, and gone when with one.
        ``room`` is how many bytes must surely fit, by default all; a filesystem where every file
        gets its blocks at once looks at the size alone.

        :raises RefusedError: the name exists.
        :raises NoSpaceError: it does not fit, known before anything is written.
        """

    def replace(self, new: str, old: str, keep: str | None = None) -> None:
        """``new`` gets the name ``old``; what had it is called ``keep`` then, or is gone.

        The new file takes over mode and owner of the old one. ``keep`` must not exist.
        """

    def publish(self, new: str, name: str) -> None:
        """``new``, a whole file, gets a name that nothing has; durable on return.

        A power cut leaves it under one of the two names.

        :raises RefusedError: the name exists.
        """

    def resize(self, name: str, size: int) -> None:
        """Change a file's size, durable on return; what is added reads as zeros."""

    def remove(self, name: str) -> None:
        """Delete a file, durable on return."""

    def make(self) -> None:
        """Make the directory where it is missing, and what leads to it; root's, of mode 0755."""

    def names(self) -> tuple[str, ...]:
        """The names of the regular files, sorted."""

    def free(self) -> int:
        """Bytes that new files could still have."""

    def limit(self) -> int | None:
        """The largest size of a file, where the filesystem sets one that matters."""

    def hold(self, name: str) -> AbstractContextManager[None]:
        """Exclusive use of a file, or of the whole stick that holds it; see ``host.hold``."""


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file's place: a folder and the name in it."""

    folder: Folder
    name: str

    def __str__(self) -> str:
        return f"{str(self.folder).rstrip('/')}/{self.name}"

    def open(self, *, writable: bool = False) -> AbstractContextManager[StoredFile]:
        return self.folder.open(self.name, writable=writable)

    def hold(self) -> AbstractContextManager[None]:
        return self.folder.hold(self.name)

    def beside(self, suffix: str) -> "FolderFile":
        """A place in the same folder, of the same name with a suffix."""
        return FolderFile(self.folder, self.name + suffix)


class DescriptorFile:
    """``size`` bytes from ``start`` of an open file or device: a file, or a whole volume."""

    def __init__(self, descriptor: int, size: int, start: int = 0) -> None:
        self._descriptor = descriptor
        self._start = start
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        offset += self._start
        parts = []
        while length:
            part = os.pread(self._descriptor, length, offset)
            if not part:
                raise TruncatedError("the file became shorter while it was read")
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def write_at(self, offset: int, data: bytes) -> None:
        check_range(self, offset, len(data))
        disk.write_all(self._descriptor, self._start + offset, data)

    def flush(self) -> None:
        os.fdatasync(self._descriptor)


class ReadOnlyFile:
    """A byte source as a stored file that nobody may write."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.size = source.size

    def read_at(self, offset: int, length: int) -> bytes:
        return self._source.read_at(offset, length)

    def write_at(self, offset: int, data: bytes) -> None:
        raise io.UnsupportedOperation(f"not opened for writing: {len(data)} bytes at {offset}")

    def flush(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class HostFolder:
    """A directory of this machine, on a mounted filesystem.

    New files are sparse. One that has no holes stays so when it grows, and when another one takes
    its place, if there is room: a kernel that finds no block for the store of a snapshot gives
    the store up, with all that is in it.
    """

    directory: Path

    def __str__(self) -> str:
        return str(self.directory)

    @contextmanager
    def open(self, name: str, *, writable: bool = False) -> Iterator[StoredFile]:
        flags = os.O_RDWR if writable else os.O_RDONLY
        with _opened(self._path(name), flags) as descriptor:
            yield DescriptorFile(descriptor, os.fstat(descriptor).st_size)

    @contextmanager
    def create(self, name: str, size: int, *, room: int | None = None) -> Iterator[StoredFile]:
        """As `Folder.create`; no one but its owner may read it, as long as it replaces nothing."""
        path = self._path(name)
        self._require(size if room is None else room)
        try:
            # An overlay holds what the users of its system keep from each other.
            new = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise already_there(path) from error
        try:
            try:
                write_in_place(new)
                os.ftruncate(new, size)
                with WriteBehind(DescriptorFile(new, size), new) as file:
                    yield file
                os.fsync(new)
            finally:
                os.close(new)
            disk.sync_directory(self.directory)
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise

    def replace(self, new: str, old: str, keep: str | None = None) -> None:
        """As `Folder.replace`, atomic by rename(2).

        Where the filesystem has no hard links (FAT, exFAT), a file to be kept is renamed first;
        a cut between the two renames leaves it under the name ``keep`` and none called ``old``.
        """
        with (
            _opened(self._path(old), os.O_RDONLY) as model,
            _opened(self._path(new), os.O_RDWR) as it,
        ):
            _take_over(model, it)
        if keep is not None:
            self._keep(old, keep)
        self._path(new).rename(self._path(old))
        disk.sync_directory(self.directory)

    def publish(self, new: str, name: str) -> None:
        path = self._path(name)
        if os.path.lexists(path):
            raise already_there(path)
        self._path(new).rename(path)
        disk.sync_directory(self.directory)

    def resize(self, name: str, size: int) -> None:
        with _opened(self._path(name), os.O_RDWR) as descriptor:
            before, was_whole = os.fstat(descriptor).st_size, is_whole(descriptor)
            self._require(size - before)
            os.ftruncate(descriptor, size)
            if was_whole and size > before:
                allocate(descriptor, before, size)
            os.fsync(descriptor)

    def remove(self, name: str) -> None:
        self._path(name).unlink()
        disk.sync_directory(self.directory)

    def make(self) -> None:
        """As `Folder.make`, but that it belongs to whoever makes it."""
        missing = [each for each in (self.directory, *self.directory.parents) if not each.exists()]
        for directory in reversed(missing):
            directory.mkdir(mode=0o755, exist_ok=True)
            disk.sync_directory(directory.parent)

    def names(self) -> tuple[str, ...]:
        with os.scandir(self.directory) as entries:
            return tuple(sorted(e.name for e in entries if e.is_file(follow_symlinks=False)))

    def free(self) -> int:
        space = os.statvfs(self.directory)
        return space.f_bavail * space.f_frsize

    def limit(self) -> int | None:
        return None

    def hold(self, name: str) -> AbstractContextManager[None]:
        return hold(self._path(name))

    def _path(self, name: str) -> Path:
        return self.directory / checked_name(name)

    def _keep(self, old: str, keep: str) -> None:
        kept = self._path(keep)
        try:
            os.link(self._path(old), kept, follow_symlinks=False)
        except FileExistsError as error:
            raise already_there(kept) from error
        except OSError:
            if os.path.lexists(kept):
                raise already_there(kept) from None
            self._path(old).rename(kept)
        disk.sync_directory(self.directory)

    def _require(self, room: int) -> None:
        require_room(room, self.free(), self)


def checked_name(name: str) -> str:
    """A name that cannot lead out of its directory; refused if it is not."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise RefusedError(f"{name!r} is not the name of a file in a directory")
    return name


def check_range(file: StoredFile, offset: int, length: int) -> None:
    if offset < 0 or offset + length > file.size:
        raise TruncatedError(
            f"bytes {offset}..{offset + length} lie outside a file of {file.size} bytes"
        )


def require_room(needed: int, free: int, place: object) -> None:
    """:raises NoSpaceError: fewer bytes are free than are needed."""
    if needed > free:
        raise NoSpaceError(
            f"{place} has {format_size(free)} free, and {format_size(needed)} are needed",
            hint="make room there, or choose another place",
        )


def already_there(place: object) -> RefusedError:
    return RefusedError(
        f"{place} exists already", hint="it may be what an interrupted run left; look, then move it"
    )


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """A regular file; symbolic links and everything else are refused."""
    mode = path.lstat().st_mode
    if stat.S_ISBLK(mode):
        raise RefusedError(
            f"{path} is a block device, which has neither a name nor a size of its own to change",
            hint="copy it into a file, work on that, and copy the result back",
        )
    if not stat.S_ISREG(mode):
        raise RefusedError(f"{path} is not a regular file", hint="name the file itself")
    with disk.opened(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RefusedError(f"{path} was exchanged while it was opened")
        yield descriptor


def _take_over(model: int, descriptor: int) -> None:
    """Mode and owner of an open file for another one; the owner as far as one may."""
    facts = os.fstat(model)
    with suppress(PermissionError):
        os.fchown(descriptor, facts.st_uid, facts.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(facts.st_mode))
    if is_whole(model) and missing_bytes(descriptor) <= free_bytes(descriptor):
        with suppress(NoSpaceError):
            allocate(descriptor, 0, os.fstat(descriptor).st_size)
    os.fsync(descriptor)
