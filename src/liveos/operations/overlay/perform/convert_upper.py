# SPDX-License-Identifier: Apache-2.0
"""Upper directories written into unmounted filesystems: a stick's own, or one in an image file."""

import posixpath
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from liveos.errors import ProblemsFoundError
from liveos.formats.binary import ByteSource, FileSource, Window
from liveos.formats.ext4.reader import Ext4
from liveos.formats.tree import Attributes, FileTree
from liveos.host.folders.ext4_draft import edit
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.ext4_tree_writer import write_tree
from liveos.host.folders.folder import FolderFile, StoredFile
from liveos.host.folders.new_file import data_ranges
from liveos.host.folders.tree_items import TreeItem
from liveos.host.run import run
from liveos.host.transfer import PIECE
from liveos.host.volumes import SAFE_FEATURES, Ext4Volume
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.upper import UPPER_IN_IMAGE
from liveos.operations.overlay.upper.source import upper_of
from liveos.operations.steps.whole_overlay import WORK
from liveos.report import Reporter

_LABEL = "security.selinux"
_WORK_IN_IMAGE = f"/{WORK}"
_PART = 16 * 1500  # sixteenths of blocks: well within a journal of 16 MiB


def write_directory(
    overlay: OpenOverlay, place: FolderFile, reporter: Reporter, *, at_once: bool = True
) -> None:
    """The upper directory at ``place``, and ``ovlwork`` beside it if there is none.

    All of it is one transaction: a power cut leaves nothing of it, or everything. Where that is
    of no account, it need not be done ``at_once``, and any journal is large enough.
    """
    folder = place.folder
    assert isinstance(folder, Ext4Folder)
    items = upper_of(overlay, posixpath.join(folder.directory, place.name))
    work = posixpath.join(folder.directory, WORK)
    new = items if _is_there(folder.volume, work) else [*items, _work_item(items[0], work)]
    for part in [new] if at_once else _parts(new):
        _write(folder.volume, part, reporter)


def write_image(overlay: OpenOverlay, place: FolderFile, size: int, reporter: Reporter) -> None:
    """An image with both directories, made in ``$TMPDIR`` and copied when it is whole."""
    items = upper_of(overlay, UPPER_IN_IMAGE)
    with tempfile.TemporaryDirectory(prefix="liveos-") as directory:
        path = Path(directory, "overlay.img")
        with path.open("xb") as file:
            file.truncate(size)
        volume = Ext4Volume(path, 0, size)
        run(volume.make("overlay", uuid4(), SAFE_FEATURES))
        _write(volume, [*items, _work_item(items[0], _WORK_IN_IMAGE)], reporter)
        run(volume.check())
        stored = sum(stop - start for start, stop in data_ranges(path))
        with (
            FileSource(path) as source,
            place.folder.create(place.name, size, room=stored) as copy,
        ):
            _copy(path, source, copy, reporter)


def _write(volume: Ext4Volume, items: Sequence[TreeItem], reporter: Reporter) -> None:
    """Write the items, and read again what became of them."""
    total = sum(item.stored for item in {item.key: item for item in items}.values())
    edit(
        volume,
        lambda draft, sink: write_tree(
            draft, sink, items, lambda done: reporter.progress(done, total)
        ),
    )
    with _reader(volume) as fs:
        _require_equal(items, fs)


def _parts(items: Sequence[TreeItem]) -> Iterator[Sequence[TreeItem]]:
    """The items, in an order in which some after some can be written; all names of a file at once.

    An inode takes a sixteenth of a block of 4 KiB, a directory or a long link a block besides.
    """
    names = Counter(item.key for item in items)
    part, weight = list[TreeItem](), 0
    for item in items:
        if names[item.key] == 1:
            part.append(item)
            weight += 17 if item.is_directory or item.target else 1
        if weight >= _PART:
            yield part
            part, weight = [], 0
    part += (item for item in items if names[item.key] > 1)
    if part:
        yield part


@contextmanager
def _reader(volume: Ext4Volume) -> Iterator[Ext4]:
    with FileSource(volume.path) as source:
        yield Ext4(Window(source, volume.offset, volume.size))


def _is_there(volume: Ext4Volume, path: str) -> bool:
    with _reader(volume) as fs:
        return fs.lookup(path) is not None


def _work_item(upper: TreeItem, path: str) -> TreeItem:
    """``ovlwork`` with the label of the upper directory, which SELinux asks for."""
    found = upper.attributes
    label = {name: value for name, value in found.xattrs.items() if name == _LABEL}
    attributes = Attributes(stat.S_IFDIR | 0o755, 0, 0, found.mtime_ns, 2, xattrs=label)
    return TreeItem(path, attributes, key=-1)


def _require_equal(items: Sequence[TreeItem], fs: FileTree) -> None:
    """:raises ProblemsFoundError: what was written cannot be read again as it should be."""
    listings: dict[str, dict[str, int]] = {}
    for item in items:
        parent, name = posixpath.split(item.path)
        if parent not in listings:
            directory = fs.lookup(parent)
            assert directory is not None
            listings[parent] = dict(fs.scan(directory))
        node = fs.load(item.path, listings[parent].get(name, 0))
        found = fs.attributes(node)
        same = replace(found, links=0, generation=None) == replace(
            item.attributes, links=0, generation=None
        )
        if not same or not _same_content(item, fs.open(node) if item.content else None):
            raise ProblemsFoundError(
                f"{item.path} was read again, and is not what was written",
                hint="the disk is failing, or it is smaller than it says; the old overlay is"
                " unchanged",
            )


def _same_content(item: TreeItem, found: ByteSource | None) -> bool:
    if item.content is None or found is None:
        return True
    if item.content.size != found.size:
        return False
    return all(
        item.content.read_at(offset, min(PIECE, found.size - offset))
        == found.read_at(offset, min(PIECE, found.size - offset))
        for offset in range(0, found.size, PIECE)
    )


def _copy(path: Path, source: ByteSource, copy: StoredFile, reporter: Reporter) -> None:
    """What is no hole in a file; then read again."""
    pieces = [
        (offset, min(PIECE, stop - offset))
        for start, stop in data_ranges(path)
        for offset in range(start, stop, PIECE)
    ]
    total, done = 2 * sum(length for _, length in pieces), 0
    for offset, length in pieces:
        copy.write_at(offset, source.read_at(offset, length))
        done += length
        reporter.progress(done, total)
    copy.flush()
    for offset, length in pieces:
        if copy.read_at(offset, length) != source.read_at(offset, length):
            raise ProblemsFoundError(
                "the new overlay was read again, and is not what was written",
                hint="the disk is failing, or it is smaller than it says; the old overlay is"
                " unchanged",
            )
        done += length
        reporter.progress(done, total)
