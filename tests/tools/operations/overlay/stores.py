# SPDX-License-Identifier: Apache-2.0
"""Roots that e2fsprogs made and changed, with the changes in a store by the kernel's model."""

import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.unit.formats.exception_store.kernel_model import KernelModel

MIB = 1 << 20
CHUNK = 4096
DEFAULT = ("-t", "ext4", "-b", "4096")


@dataclass(frozen=True)
class Case:
    """A root, its store, and ``view``: the same filesystem changed without a store.

    ``kept`` are the files that must be in it, with their contents.
    """

    origin: Path
    store: Path
    view: Path
    kept: dict[str, bytes]


def run(*words: str | Path, stdin: bytes = b"", good: tuple[int, ...] = (0,)) -> bytes:
    done = subprocess.run(
        [str(word) for word in words], input=stdin, capture_output=True, check=False
    )
    assert done.returncode in good, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def make(
    directory: Path,
    *options: str,
    size: int = 48,
    files: int = 30,
    journal: bool = False,
    chunk_sectors: int = 8,
) -> Case:
    """A root of ``size`` MiB, some of whose files were deleted and others written.

    With ``journal``, the last change is only a transaction in the filesystem's journal.
    """
    dice = random.Random(3)
    tree, origin, view = directory / "tree", directory / "rootfs.img", directory / "view.img"
    old = {f"old{number}": dice.randbytes(300_000 + number) for number in range(files)}
    tree.mkdir()
    for name, data in old.items():
        (tree / name).write_bytes(data)
    run("mke2fs", "-q", "-F", *(options or DEFAULT), "-d", tree, origin, f"{size}M")
    view.write_bytes(origin.read_bytes())
    kept = {name: data for name, data in old.items() if int(name[3:]) % 4}
    new = {f"new{number}": dice.randbytes(200_000) for number in range(files)}
    words = [f"rm /{name}" for name in old if name not in kept]
    for name, data in new.items():
        (directory / name).write_bytes(data)
        words.append(f"write {directory / name} /{name}")
    # What is written and deleted again fills the store and is of no use.
    words += [f"rm /new{number}" for number in range(0, files, 2)]
    run("debugfs", "-w", "-f", "-", view, stdin="\n".join(words).encode())
    run("e2fsck", "-fy", view, good=(0, 1))
    kept |= {name: data for name, data in new.items() if int(name[3:]) % 2}
    store = directory / "overlay"
    model = KernelModel(bytearray((size - 8) * MIB), origin.read_bytes(), chunk_sectors)
    fill(model, dice.randbytes(8 * CHUNK), view)
    if journal:
        _pending(directory, view)
        fill(model, b"", view)
    assert bool(model.view() == view.read_bytes())
    store.write_bytes(model.device)
    return Case(origin, store, view, kept)


def fill(model: KernelModel, garbage: bytes, view: Path) -> None:
    """Write to a snapshot until it shows ``view``; before, ``garbage`` that is undone again."""
    wanted = view.read_bytes()
    shown = model.view()
    chunks = range(0, len(wanted), CHUNK)
    changed = [at for at in chunks if wanted[at : at + CHUNK] != shown[at : at + CHUNK]]
    random.Random(5).shuffle(changed)
    for number in range(len(garbage) // CHUNK):
        # These chunks are in the store, and equal to the origin in the end.
        at = len(wanted) // 2 + number * CHUNK
        model.write(at // 512, garbage[:CHUNK])
        model.write(at // 512, wanted[at : at + CHUNK])
    for at in changed:
        assert model.write(at // 512, wanted[at : at + CHUNK])


def _pending(directory: Path, view: Path) -> None:
    """Leave a committed transaction in the journal that changes a directory's block."""
    run("debugfs", "-w", "-f", "-", view, stdin=b"mkdir /before\n")
    later = directory / "later.img"
    later.write_bytes(view.read_bytes())
    run("debugfs", "-w", "-f", "-", later, stdin=b"mkdir /after\nset_inode_field /old1 uid 77\n")
    size = _block_size(view)
    old, new = view.read_bytes(), later.read_bytes()
    places = range(0, len(old), size)
    blocks = [at // size for at in places if old[at : at + size] != new[at : at + size]]
    content = directory / "blocks"
    content.write_bytes(b"".join(new[block * size : (block + 1) * size] for block in blocks))
    numbers = ",".join(map(str, blocks))
    run("debugfs", "-w", "-f", "-", view, stdin=f"jo\njw -b {numbers} {content}\njc\n".encode())
    assert b"needs_recovery" in run("dumpe2fs", "-h", view)


def _block_size(image: Path) -> int:
    header = run("dumpe2fs", "-h", image).decode()
    return next(int(line.split()[-1]) for line in header.splitlines() if "Block size" in line)


def recovered(image: Path, copy: Path) -> Path:
    """A copy with its journal replayed by e2fsck, and nothing else done to it."""
    copy.write_bytes(image.read_bytes())
    run("e2fsck", "-y", "-E", "journal_only", copy, good=(0, 1))
    return copy


def assert_files(image: Path, kept: dict[str, bytes], scratch: Path) -> None:
    """What e2fsck calls clean, and what debugfs reads there."""
    run("e2fsck", "-fn", image)
    for name, data in kept.items():
        out = scratch / f"{name}.out"
        run("debugfs", "-R", f"dump /{name} {out}", image)
        assert out.read_bytes() == data, name
        out.unlink()


def is_same(one: Path, other: Path | bytes) -> bool:
    """A plain answer: pytest would explain for minutes how large contents differ."""
    return one.read_bytes() == (other if isinstance(other, bytes) else other.read_bytes())
