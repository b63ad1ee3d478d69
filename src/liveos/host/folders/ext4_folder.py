# SPDX-License-Identifier: Apache-2.0
"""A directory inside an unmounted ext4: the LIVE partition of a stick, as an ordinary user.

Contents are written to the blocks of files in place. Every change of metadata is one transaction
of the filesystem's own journal, so that a power cut leaves the directory as it was or as it
should be, whoever replays the journal: the kernel, e2fsck, or we.
"""

import posixpath
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from liveos.errors import LiveosError
from liveos.formats.binary import FileSource, Window
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import recover
from liveos.host.folders.ext4_editor import Ext4Editor, free_bytes
from liveos.host.folders.ext4_scratch import Change
from liveos.host.folders.ext4_window import window
from liveos.host.folders.folder import ReadOnlyFile, StoredFile, already_there
from liveos.host.folders.unmounted import file_names, find, hold_all, regular_file
from liveos.host.volumes import Ext4Volume


@dataclass(frozen=True, slots=True)
class Ext4Folder:
    """``directory`` of the filesystem in ``volume``; it is an absolute path."""

    volume: Ext4Volume
    directory: str

    def __str__(self) -> str:
        return f"{self.volume.path}:{self.directory}"

    @contextmanager
    def open(self, name: str, *, writable: bool = False) -> Iterator[StoredFile]:
        """As `Folder.open`; for reading, the journal is replayed in memory only."""
        if writable:
            with self._editor() as editor:
                node = regular_file(editor.fs, self.directory, name)
                with editor.in_place(node) as file:
                    yield file
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
        """As `Folder.create`: it has all its blocks from the beginning, whatever ``room`` says.

        A power cut can leave the file with its size, and zeros where nothing was flushed.
        """
        with self._editor() as editor:
            if find(editor.fs, self.directory, name) is not None:
                raise already_there(f"{self}/{name}")
            node = editor.create(name, size)
            try:
                with editor.in_place(node) as file:
                    yield file
            except BaseException:
                with suppress(LiveosError, OSError):
                    editor.apply(Change([f"rm {editor.path(name)}"], (node,)))
                raise

    def replace(self, new: str, old: str, keep: str | None = None) -> None:
        """As `Folder.replace`, all in one transaction."""
        with self._editor() as editor:
            fs = editor.fs
            model, node = (regular_file(fs, self.directory, name) for name in (old, new))
            if keep is not None and find(fs, self.directory, keep) is not None:
                raise already_there(f"{self}/{keep}")
            attributes = fs.attributes(model)
            path = editor.path(old)
            lines = [
                f"set_inode_field <{node.number}> mode 0{attributes.mode:o}",
                f"set_inode_field <{node.number}> uid {attributes.uid}",
                f"set_inode_field <{node.number}> gid {attributes.gid}",
                # unlink and ln leave the count of links alone, rm does not.
                f"unlink {editor.path(new)}",
            ]
            if keep is None:
                lines.append(f"rm {path}")
            else:
                lines += (f"unlink {path}", f"ln <{model.number}> {editor.path(keep)}")
            lines.append(f"ln <{node.number}> {path}")
            editor.apply(Change(lines, (model, node)))

    def publish(self, new: str, name: str) -> None:
        """As `Folder.publish`, all in one transaction."""
        with self._editor() as editor:
            node = regular_file(editor.fs, self.directory, new)
            if find(editor.fs, self.directory, name) is not None:
                raise already_there(f"{self}/{name}")
            lines = [f"unlink {editor.path(new)}", f"ln <{node.number}> {editor.path(name)}"]
            editor.apply(Change(lines, (node,)))

    def resize(self, name: str, size: int) -> None:
        """As `Folder.resize`; what is added has its blocks, as unwritten extents."""
        with self._editor() as editor:
            editor.resize(regular_file(editor.fs, self.directory, name), size)

    def remove(self, name: str) -> None:
        with self._editor() as editor:
            node = regular_file(editor.fs, self.directory, name)
            editor.apply(Change([f"rm {editor.path(name)}"], (node,)))

    def make(self) -> None:
        """As `Folder.make`, one transaction for each directory."""
        parent = "/"
        for name in filter(None, self.directory.split("/")):
            with window(self.volume) as found:
                editor = Ext4Editor(found, self.volume, parent)
                if find(editor.fs, parent, name) is None:
                    editor.apply(Change([f"mkdir {editor.path(name)}"]))
            parent = posixpath.join(parent, name)

    def names(self) -> tuple[str, ...]:
        with self._read() as fs:
            return file_names(fs, self.directory)

    def free(self) -> int:
        """As `Folder.free`; a file that is not in one piece needs blocks for its extents, too."""
        with self._read() as fs:
            return free_bytes(fs)

    def limit(self) -> int | None:
        return None

    def hold(self, name: str) -> AbstractContextManager[None]:
        return hold_all(self.volume.path, name)

    @contextmanager
    def _read(self) -> Iterator[Ext4]:
        with FileSource(self.volume.path) as source:
            yield Ext4(recover(Window(source, self.volume.offset, self.volume.size)))

    @contextmanager
    def _editor(self) -> Iterator[Ext4Editor]:
        with window(self.volume) as found:
            yield Ext4Editor(found, self.volume, self.directory)
