# SPDX-License-Identifier: Apache-2.0
"""Trees of files written into a draft of an ext4, with everything that stat(2) shows of them.

Three runs of debugfs do for any number of files: all names; then modes, owners, attributes and
blocks; then, when the contents have been written straight to the blocks, these count as written.
"""

import posixpath
import re
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from liveos.errors import NoSpaceError
from liveos.formats.binary import ByteSink, FileSource
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import FileKind
from liveos.host.ext4 import BlockRun, parse_extents
from liveos.host.folders import ext4_words as words
from liveos.host.folders.ext4_draft import Draft
from liveos.host.folders.tree_items import TreeItem

Progress = Callable[[int], None]

_PIECE = 1 << 20
_ENTRY = 8  # bytes of a directory entry beside its name, which is rounded up to four
_EXTENTS_OF = re.compile(r"^debugfs: dump_extents <(\d+)>$", re.MULTILINE)


def write_tree(
    draft: Draft, sink: ByteSink, items: Sequence[TreeItem], progress: Progress = lambda _: None
) -> None:
    """Make these nodes as they are to be; directories come before what is in them.

    Contents go through ``sink`` to the bytes of the filesystem; ``progress`` is told how many.

    :raises NoSpaceError: there is no room for them.
    :raises RefusedError: one has a name that debugfs cannot be told.
    """
    with ExitStack() as stack:
        writer = _Writer(draft, sink, items, progress)
        values = _long_values(items, stack)
        draft.run(writer.names())
        with FileSource(draft.path) as source:
            writer.find_inodes(Ext4(source))
        said = draft.run(writer.bodies(values))
        marks = list(writer.fill(_runs_by_inode(said)))
        if marks:
            draft.run(marks)


class _Writer:
    """The items while they are written."""

    def __init__(
        self, draft: Draft, sink: ByteSink, items: Sequence[TreeItem], progress: Progress
    ) -> None:
        self._old = draft.original
        self._sink = sink
        self._progress = progress
        self._block_size = draft.original.superblock.block_size
        self._items = items
        self._first: dict[int, TreeItem] = {}
        self._further: list[TreeItem] = []
        for item in items:
            if self._first.setdefault(item.key, item) is not item:
                self._further.append(item)
        self._numbers: dict[int, int] = {}  # inodes by keys
        self._done = 0

    def names(self) -> Iterator[str]:
        """Commands that make one name for each new node."""
        here = None
        for item in self._first.values():
            if not item.changes:
                parent, name = posixpath.split(item.path)
                if parent != here:
                    yield f"cd {words.quoted(parent)}"
                    here = parent
                yield words.creation(item, name)

    def find_inodes(self, new: Ext4) -> None:
        """Learn from the draft which inode each item has got."""
        directories: dict[str, int] = {}
        listings: dict[str, dict[str, int]] = {}
        for item in self._first.values():
            parent, name = posixpath.split(item.path)
            if not name:
                number = new.root.number
            else:
                if parent not in listings:
                    listings[parent] = _listing(new, parent, directories.get(parent))
                number = listings[parent][name]
            self._numbers[item.key] = number
            if item.is_directory:
                directories[item.path] = number

    def bodies(self, values: Mapping[bytes, str]) -> Iterator[str]:
        """Commands for all but the contents."""
        names = Counter(item.key for item in self._items)
        for key, item in self._first.items():
            number = self._numbers[key]
            if item.content is not None:
                ranges, size = item.ranges, self._block_size
                yield from words.blocks(number, item.size, ranges, size, cut=item.changes)
            if item.changes:
                before = self._old.attributes(self._old.load(item.path, number))
                yield from words.changed_attributes(number, before, item.attributes, values)
            yield from words.body(item, number, names[key], values)
            if stat.S_ISSOCK(item.attributes.mode):
                parent, name = posixpath.split(item.path)
                yield f"cd {words.quoted(parent)}"
                yield from words.socket_name(number, name)
        yield from self._further_names()

    def fill(self, runs: Mapping[int, Sequence[BlockRun]]) -> Iterator[str]:
        """Write the contents to their blocks; the commands that make them count."""
        for key, item in self._first.items():
            own = runs.get(self._numbers[key], ())
            if item.content is None or not (item.ranges or own):
                continue
            if _blocks_missing(item, own, self._block_size):
                raise NoSpaceError(f"{item.path} does not fit: the filesystem is full")
            for run in own:
                self._fill_run(item, run)
            yield from words.marking(self._numbers[key], [run for run in own if not run.written])

    def _fill_run(self, item: TreeItem, run: BlockRun) -> None:
        """What of a file lies in a run of blocks; in blocks that it had before, what is new."""
        assert item.content is not None
        size = self._block_size
        end = min(item.size, (run.logical + run.length) * size)
        for start in range(run.logical * size, end, _PIECE):
            data = item.content.read_at(start, min(_PIECE, end - start))
            self._done += len(data)
            data += bytes(-len(data) % size)
            place = run.physical * size + start - run.logical * size
            if not run.written or self._old.source.read_at(place, len(data)) != data:
                self._sink.write_at(place, data)
            self._progress(self._done)

    def _further_names(self) -> Iterator[str]:
        """Hard links, in directories that are given room for them: ``ln`` alone makes none."""
        by_parent: dict[str, list[TreeItem]] = {}
        for item in self._further:
            by_parent.setdefault(posixpath.dirname(item.path), []).append(item)
        for parent, items in by_parent.items():
            yield f"cd {words.quoted(parent)}"
            names = [posixpath.basename(item.path) for item in items]
            room = sum(_ENTRY + len(name.encode("utf-8", "surrogateescape")) + 3 for name in names)
            for _ in range(2 * room // self._block_size + 1):
                yield "expand_dir ."
            for item, name in zip(items, names, strict=True):
                yield words.further_name(self._numbers[item.key], name)


def _listing(fs: Ext4, path: str, number: int | None) -> dict[str, int]:
    node = fs.lookup(path) if number is None else fs.load(path, number)
    assert node is not None
    assert node.kind is FileKind.DIRECTORY
    return dict(fs.scan(node))


def _blocks_missing(item: TreeItem, runs: Iterable[BlockRun], block_size: int) -> bool:
    """Whether some range of a file has no blocks: debugfs says nothing when there are none."""
    needed = [(start // block_size, -(-stop // block_size)) for start, stop in item.ranges]
    covered = [(run.logical, run.logical + run.length) for run in runs]
    for first, stop in needed:
        overlaps = (min(stop, end) - max(first, start) for start, end in covered)
        if sum(max(0, overlap) for overlap in overlaps) < stop - first:
            return True
    return False


def _runs_by_inode(said: str) -> dict[int, tuple[BlockRun, ...]]:
    """The blocks of each inode whose extents were printed."""
    parts = _EXTENTS_OF.split(said)
    return {
        int(number): parse_extents(text)
        for number, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def _long_values(items: Iterable[TreeItem], stack: ExitStack) -> dict[bytes, str]:
    """Files with the values of attributes that are too long for a command."""
    values = {value for item in items for value in item.attributes.xattrs.values()}
    long = [value for value in values if len(value) > words.LONGEST_WORD]
    if not long:
        return {}
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="liveos-")))
    found = {}
    for number, value in enumerate(long):
        path = directory / str(number)
        path.write_bytes(value)
        found[value] = str(path)
    return found
