# SPDX-License-Identifier: Apache-2.0
"""A directory inside an unmounted FAT filesystem, as an ordinary user.

FAT has no journal, no holes and no rename over a file. New files are written whole, by mtools;
contents are then changed in place; and a file takes another one's place by an exchange of what
their two directory entries say (``formats.fat.exchange``). A power cut can leave, beside the old
file or the new one: a file that is not finished, or clusters that no file has. Neither does harm;
``fsck.fat -a`` gives the clusters back.
"""

import posixpath
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate

from liveos.errors import LiveosError, NoSpaceError, RefusedError
from liveos.formats.binary import Extent, ExtentSource, FileSource, Window
from liveos.formats.fat.exchange import erase, exchange, forget
from liveos.formats.fat.reader import Fat
from liveos.host import disk
from liveos.host.folders.fat_remains import DEEPEST, clear_remains
from liveos.host.folders.folder import (
    DescriptorFile,
    ReadOnlyFile,
    StoredFile,
    already_there,
    check_range,
    checked_name,
    require_room,
)
from liveos.host.folders.unmounted import (
    directory_names,
    file_names,
    find,
    hold_all,
    regular_file,
)
from liveos.host.run import feed, run
from liveos.host.transfer import PIECE, pieces
from liveos.host.volumes import FatVolume

LARGEST_FILE = (1 << 32) - 1
"""Bytes; the size in a directory entry has 32 bits."""

_NOT_IN_NAMES = frozenset('"*:<>?\\|[]')
"""What FAT forbids, and what mtools would take for a pattern."""


@dataclass(frozen=True, slots=True)
class FatFolder:
    """``directory`` of the filesystem in ``volume``; it is an absolute path."""

    volume: FatVolume
    directory: str

    def __str__(self) -> str:
        return f"{self.volume.path}:{self.directory}"

    @contextmanager
    def open(self, name: str, *, writable: bool = False) -> Iterator[StoredFile]:
        if writable:
            with self._window() as window:
                fs = Fat(window)
                file = _ExtentFile(window, fs.extents(regular_file(fs, self.directory, name)))
                yield file
                file.flush()
        else:
            with self._read() as fs:
                yield ReadOnlyFile(fs.open(regular_file(fs, self.directory, name)))

    @contextmanager
    def create(
        self,
        name: str,
        size: int,
        *,
        room: int | None = None,  # noqa: ARG002 - for folders whose files are sparse
    ) -> Iterator[StoredFile]:
        """As `Folder.create`; zeros are written to all of it first, as FAT has no holes."""
        path = self._path(name)
        self.clear_remains()
        with self._read() as fs:
            if find(fs, self.directory, name) is not None:
                raise already_there(f"{self}/{name}")
            require_room(size, _free(fs), self)
        if size > LARGEST_FILE:
            raise NoSpaceError(
                f"{self} is on FAT, whose files have at most 4 GiB less one byte",
                hint="choose a smaller size, or a stick with another filesystem",
            )
        try:
            self._write_zeros(path, size)
            with self.open(name, writable=True) as file:
                yield file
        except BaseException:
            with suppress(LiveosError, OSError):
                self.remove(name)
            raise

    def replace(self, new: str, old: str, keep: str | None = None) -> None:
        """As `Folder.replace`, at once for the name ``old``; FAT has neither modes nor owners.

        The names ``new`` and ``keep`` follow after that: a power cut can leave the old content
        under the name ``new``, or in clusters that no file has.
        """
        with self._window() as window:
            fs = Fat(window)
            if keep is not None and find(fs, self.directory, keep) is not None:
                raise already_there(f"{self}/{keep}")
            exchange(
                window,
                regular_file(fs, self.directory, old).handle,
                regular_file(fs, self.directory, new).handle,
            )
        if keep is None:
            self.remove(new)
        else:
            run(self.volume.rename(self._path(new), self._path(keep)))
            disk.sync(self.volume.path)

    def publish(self, new: str, name: str) -> None:
        """As `Folder.publish`, but that a power cut may leave it under both names, or none."""
        with self._read() as fs:
            regular_file(fs, self.directory, new)
            if find(fs, self.directory, name) is not None:
                raise already_there(f"{self}/{name}")
        run(self.volume.rename(self._path(new), self._path(name)))
        disk.sync(self.volume.path)

    def resize(self, name: str, size: int) -> None:
        """As `Folder.resize`, by a copy: there must be room for a file of the new size."""
        temporary = f"{name}.resized"
        with self.open(name) as old, self.create(temporary, size) as new:
            offset = 0
            for piece in pieces(old, min(old.size, size)):
                new.write_at(offset, piece)
                offset += len(piece)
        self.replace(temporary, name)

    def remove(self, name: str) -> None:
        """As `Folder.remove`, of files that a power cut has left with half a chain, too.

        mdel follows such a chain into what is free, and would free the first entry of the FAT.
        """
        with self._window() as window:
            fs = Fat(window)
            node = regular_file(fs, self.directory, name)
            if not fs.is_whole(node):
                forget(window, node.handle)
        run(self.volume.remove(self._path(name)))
        disk.sync(self.volume.path)

    def make(self) -> None:
        self.clear_remains()
        names = [name for name in self.directory.split("/") if name]
        for depth in range(1, len(names) + 1):
            path = f"/{posixpath.join(*names[:depth])}"
            if not self._is_whole(path):
                run(self.volume.make_directories((path,)))
                disk.sync(self.volume.path)

    def is_there(self) -> bool:
        """Whether there is such a directory at all."""
        with self._read() as fs:
            return fs.lookup(self.directory) is not None

    def remove_with_files(self) -> None:
        """The directory with everything in it; what a cut-off run has left of it, too.

        :raises RefusedError: directories lie in each other deeper than anyone makes them.
        """
        if not self._is_whole(self.directory):
            return
        if self.directory.count("/") > DEEPEST:
            raise RefusedError(f"{self} lies too deep to be removed", hint="run fsck.fat on it")
        for name in self._directory_names():
            FatFolder(self.volume, posixpath.join(self.directory, name)).remove_with_files()
        for name in self.names():
            self.remove(name)
        run(self.volume.remove_directory(self.directory))
        disk.sync(self.volume.path)

    def names(self) -> tuple[str, ...]:
        with self._read() as fs:
            return file_names(fs, self.directory)

    def _directory_names(self) -> tuple[str, ...]:
        with self._read() as fs:
            return directory_names(fs, self.directory)

    def free(self) -> int:
        with self._read() as fs:
            return _free(fs)

    def limit(self) -> int | None:
        return LARGEST_FILE

    def hold(self, name: str) -> AbstractContextManager[None]:
        return hold_all(self.volume.path, name)

    @contextmanager
    def _read(self) -> Iterator[Fat]:
        with FileSource(self.volume.path) as source:
            yield Fat(Window(source, self.volume.offset, self.volume.size))

    @contextmanager
    def _window(self) -> Iterator[DescriptorFile]:
        with disk.opened(self.volume.path) as descriptor:
            yield DescriptorFile(descriptor, self.volume.size, self.volume.offset)

    def clear_remains(self) -> None:
        """Before anything is written to the filesystem: see `fat_remains`."""
        with self._window() as window:
            clear_remains(window)

    def _is_whole(self, path: str) -> bool:
        """Whether a directory is there; what a power cut has left of one is taken away."""
        with self._window() as window:
            fs = Fat(window)
            node = fs.lookup(path)
            if node is not None and not fs.is_whole(node):
                erase(window, node.handle)
                node = None
        return node is not None

    def _path(self, name: str) -> str:
        """A path in the words of mtools."""
        path = posixpath.join(self.directory, checked_name(name))
        strange = sorted(set(path) & _NOT_IN_NAMES)
        if strange or not path.isprintable():
            raise RefusedError(f"{path!r} cannot be the name of a file on FAT")
        return path

    def _write_zeros(self, path: str, size: int) -> None:
        with feed(self.volume.write(path)) as pipe:
            for offset in range(0, size, PIECE):
                pipe.write(bytes(min(PIECE, size - offset)))
        disk.sync(self.volume.path)


class _ExtentFile:
    """A file that lies in pieces of a volume and is read and written there."""

    def __init__(self, window: StoredFile, extents: Sequence[Extent]) -> None:
        self._window = window
        self._source = ExtentSource(window, extents)
        self._extents = extents
        self._starts = [0, *accumulate(extent.length for extent in extents)]
        self.size = self._source.size

    def read_at(self, offset: int, length: int) -> bytes:
        return self._source.read_at(offset, length)

    def write_at(self, offset: int, data: bytes) -> None:
        check_range(self, offset, len(data))
        index = bisect_right(self._starts, offset) - 1
        while data:
            extent, within = self._extents[index], offset - self._starts[index]
            assert extent.offset is not None  # FAT has no holes
            part = data[: extent.length - within]
            self._window.write_at(extent.offset + within, part)
            data, offset, index = data[len(part) :], offset + len(part), index + 1

    def flush(self) -> None:
        self._window.flush()


def _free(fs: Fat) -> int:
    """Free bytes; one cluster is left for the directory, which may have to grow."""
    return max(0, fs.free_size - fs.geometry.cluster_size)
