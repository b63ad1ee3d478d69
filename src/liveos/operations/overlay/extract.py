# SPDX-License-Identifier: Apache-2.0
"""Saves the files that an overlay adds and changes into a new directory of the host.

Whatever the names and links in the tree are, nothing outside of that directory is reached: every
step goes by one name from an open directory, follows no link, and makes only what is not there.
What could not be made as it is in the overlay is told, in a manifest beside the files.
"""

import errno
import json
import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from liveos.errors import NoSpaceError, RefusedError
from liveos.formats.binary import FormatError
from liveos.formats.tree import Attributes, FileKind, FileTree, Node
from liveos.medium.overlay.changes.model import Changes
from liveos.operations.overlay.dress import Dresser, Unset
from liveos.report import NullReporter, Reporter

MANIFEST = "extract.json"
FILES = "files"
"""What is in the directory: the manifest, and the files below one of their own."""

_PIECE = 1 << 20
_DEEPEST = 1 << 10
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_INTO = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Wanted = dict[str, "Wanted"]


@dataclass(frozen=True, slots=True)
class Unsaved:
    """A file that could not be made at all, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Extraction:
    """What was saved: how many files, directories and links that the report names."""

    saved: int = 0
    size: int = 0
    unsaved: list[Unsaved] = field(default_factory=list)
    unset: list[Unset] = field(default_factory=list)


def extract(
    tree: FileTree, changes: Changes, directory: Path, reporter: Reporter | None = None
) -> Extraction:
    """Save what is added, modified or has other metadata; ``directory`` must not be there yet.

    :raises RefusedError: there is something already.
    :raises NoSpaceError: it does not fit; what was saved so far stays.
    """
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError as error:
        raise RefusedError(
            f"{directory} is there already", hint="name a new directory: nothing is overwritten"
        ) from error
    (directory / FILES).mkdir(mode=0o700)
    paths = (*changes.added, *changes.modified, *changes.metadata)
    with _opened(os.open(directory / FILES, _INTO)) as top:
        extractor = _Extractor(tree, top, frozenset(paths), reporter or NullReporter())
        extractor.save()
    _write_manifest(directory / MANIFEST, changes, extractor.result)
    return extractor.result


def _write_manifest(path: Path, changes: Changes, result: Extraction) -> None:
    content = {
        "schema": "liveos/overlay-extract/1",
        **asdict(changes),
        "saved": result.saved,
        "not_saved": [asdict(each) for each in result.unsaved],
        "not_set": [asdict(each) for each in result.unset],
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="ascii")


def _wanted(paths: frozenset[str]) -> Wanted:
    """The paths as a tree of names."""
    top: Wanted = {}
    for path in paths:
        place = top
        for name in filter(None, path.split("/")):
            place = place.setdefault(name, {})
    return top


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _Extractor:
    """One extraction: goes down the tree along the wanted names, parents first."""

    def __init__(self, tree: FileTree, top: int, paths: frozenset[str], reporter: Reporter) -> None:
        self._tree = tree
        self._top = top
        self._paths = paths
        self._reporter = reporter
        self._links: dict[int, tuple[str, ...]] = {}  # where a file with several names is
        self.result = Extraction()

    def save(self) -> None:
        self._reporter.step("Save added and changed files", 1, 1)
        self._reporter.progress(0, None)
        made: list[tuple[tuple[str, ...], Node]] = []
        waiting: list[tuple[tuple[str, ...], Node, Wanted]]
        waiting = [((), self._tree.root, _wanted(self._paths))]
        while waiting:
            parts, directory, wanted = waiting.pop()
            for name, node in self._children(directory, wanted):
                if self._save(parts, name, node) and node.kind is FileKind.DIRECTORY:
                    made.append(((*parts, name), node))
                    waiting.append(((*parts, name), node, wanted[name]))
        # Times of directories change while they are filled, and some may not be entered later.
        for parts, node in reversed(made):
            with self._failing(node.path), self._inside(parts[:-1]) as parent:
                self._dress(parent, parts[-1], node.path, self._tree.attributes(node))

    def _children(self, directory: Node, wanted: Wanted) -> list[tuple[str, Node]]:
        """The wanted nodes in a directory; each name once, as a look-up would find it."""
        found: dict[str, Node] = {}
        with self._failing(directory.path):
            for name, reference in self._tree.scan(directory) if wanted else ():
                if name in wanted and name not in found:
                    path = posixpath.join(directory.path, name)
                    with self._failing(path):
                        found[name] = self._tree.load(path, reference)
        return list(found.items())

    def _save(self, parts: tuple[str, ...], name: str, node: Node) -> bool:
        """Make one node; whether it is there now."""
        if len(parts) > _DEEPEST:
            self.result.unsaved.append(Unsaved(node.path, "too many directories deep"))
            return False
        before = len(self.result.unsaved)
        with self._failing(node.path), self._inside(parts) as parent:
            attributes = self._tree.attributes(node)
            is_directory = node.kind is FileKind.DIRECTORY
            first = self._links.get(node.number)
            if first is not None and not is_directory:
                self._link(first, parent, name)
            else:
                self._make(parent, name, node, attributes)
                if not is_directory:
                    self._dress(parent, name, node.path, attributes)
                if attributes.links > 1:
                    self._links[node.number] = (*parts, name)
            self.result.saved += node.path in self._paths
        return len(self.result.unsaved) == before

    def _link(self, first: tuple[str, ...], parent: int, name: str) -> None:
        """Give a file that has been saved another name."""
        with self._inside(first[:-1]) as there:
            os.link(first[-1], name, src_dir_fd=there, dst_dir_fd=parent, follow_symlinks=False)

    def _make(self, parent: int, name: str, node: Node, attributes: Attributes) -> None:
        match node.kind:
            case FileKind.DIRECTORY:
                os.mkdir(name, 0o700, dir_fd=parent)
            case FileKind.SYMLINK:
                os.symlink(self._tree.readlink(node), name, dir_fd=parent)
            case FileKind.FILE:
                content = self._tree.open(node)
                with _opened(os.open(name, _NEW, 0o600, dir_fd=parent)) as file:
                    self._fill(file, content.read_at, node.size)
            case FileKind.OTHER:
                device = os.makedev(*attributes.device) if attributes.device else 0
                os.mknod(name, stat.S_IFMT(node.mode) | 0o600, device, dir_fd=parent)

    def _fill(self, file: int, read_at: Callable[[int, int], bytes], size: int) -> None:
        """Write a file's bytes; what is zero stays a hole."""
        os.truncate(file, size)
        for offset in range(0, size, _PIECE):
            piece = read_at(offset, min(_PIECE, size - offset))
            if piece.strip(b"\0"):
                _write_at(file, piece, offset)
            self.result.size += len(piece)
            self._reporter.progress(self.result.size, None)

    def _dress(self, parent: int, name: str, path: str, attributes: Attributes) -> None:
        self.result.unset += Dresser(parent, name, path, attributes).dress()

    @contextmanager
    def _inside(self, parts: tuple[str, ...]) -> Iterator[int]:
        """An open directory below the top, reached without following a link."""
        here = os.dup(self._top)
        try:
            for name in parts:
                below = os.open(name, _INTO, dir_fd=here)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)

    @contextmanager
    def _failing(self, path: str) -> Iterator[None]:
        """What goes wrong with one file is told, and the others are saved."""
        try:
            yield
        except FormatError as error:
            self.result.unsaved.append(Unsaved(path, str(error)))
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in _NO_SPACE:
                raise NoSpaceError(
                    f"{path} does not fit", hint="make room, and name a new directory"
                ) from error
            reason = getattr(error, "strerror", None) or str(error)
            self.result.unsaved.append(Unsaved(path, reason))


def _write_at(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written
