# SPDX-License-Identifier: Apache-2.0
"""ext4 journals under real kernels: what a mount makes of crashes and of our transactions."""

import gzip
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import MergedView, read_store
from liveos.formats.ext4.replay import recover
from liveos.formats.ext4.superblock import SUPERBLOCK_OFFSET, Superblock
from liveos.formats.ext4.transaction import write_transaction
from tests.data.snapshot_cases import recordings
from tests.tools.formats.test_ext4_transaction import made
from tests.unit.formats.ext4 import journals
from tests.unit.formats.ext4.power_cuts import CutDisk, Disk
from tests.vm.errands import Answer, Errands, answer_of, once
from tests.vm.snapshot_guest import SUITES, GuestResult

pytestmark = pytest.mark.vm

CRASHES = ("overlay", "ext4", "ext4-1k", "ext4-plain", "ext3", "data", "sums-v1", "around")
KINDS = ("ext4", "ext4-plain", "ext3")  # what transactions are written to
EACH = 3  # power cuts while the journal counts; and two others
# A read-only mount replays the journal, for which it writes to the device, and does little else.
MOUNT = r"""
device=$(losetup -f); losetup $device image
mount -t %s -o ro $device mnt; files $d/files; umount mnt
losetup -d $device; gzip -c -1 image >$d/image.gz
"""


def crash_of(suite: str, name: str) -> bytes:
    """A crashed filesystem: a recorded one, or the view of the recorded overlay."""
    if name != "overlay":
        return journals.image(name)
    one = recordings()[suite, "ext4-crashed"]
    source = MemorySource(one.store)
    view = MergedView(MemorySource(one.files["origin"]), read_store(source), source)
    return view.read_at(0, view.size)


def whole(source: CutDisk | MemorySource) -> bytes:
    return source.read_at(0, source.size)


def transactions(kind: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """A filesystem before and after a change, and as power cuts leave it in between."""
    folder.mkdir()
    old, new = made(kind, folder)
    yield "old", old
    yield "new", new
    size = 1024
    disk = Disk(old)
    write_transaction(disk, disk, {
        number: new[number * size : (number + 1) * size]
        for number in range(len(new) // size)
        if new[number * size : (number + 1) * size] != old[number * size : (number + 1) * size]
    })  # fmt: skip
    cuts = [source for _, source in disk.cuts(Random(kind), 1)]
    counting = [source for source in cuts if recover(source).replayed]
    chosen = [
        cuts[len(cuts) // 3],
        *Random(kind).sample(counting, EACH - 1),
        counting[-1],
        cuts[-1],
    ]
    for number, source in enumerate(chosen):
        yield f"cut-{number}", whole(source)


@dataclass(frozen=True)
class Asked:
    """A kernel's answers, and the filesystems that it was given, by name."""

    result: GuestResult
    images: dict[str, bytes]

    def answer(self, name: str) -> Answer:
        return answer_of(self.result, name)


@pytest.fixture(scope="module", params=SUITES)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    home = tmp_path_factory.mktemp("journals")
    return once(tmp_path_factory, f"journals-{request.param}", lambda: asked(request.param, home))


def asked(suite: str, home: Path) -> Asked:
    images = {f"crash-{name}": crash_of(suite, name) for name in CRASHES}
    for kind in KINDS:
        images |= {f"{kind}-{name}": data for name, data in transactions(kind, home / kind)}
    errands = Errands()
    for name, image in images.items():
        kind = "ext3" if "ext3" in name else "ext4"
        errands.add(name, MOUNT % kind, image=image)
    return Asked(errands.run(suite), images)


@pytest.mark.parametrize("name", CRASHES)
def test_the_kernel_replays_what_we_replay(kernel: Asked, name: str) -> None:
    """Block by block, but for the two superblocks, where each keeps times of its own."""
    crashed = kernel.images[f"crash-{name}"]
    theirs = gzip.decompress(kernel.answer(f"crash-{name}").files["image.gz"])
    recovered = recover(MemorySource(crashed))
    assert recovered.replayed
    ours, size = recovered.read_at(0, recovered.size), recovered.block_size
    own = {SUPERBLOCK_OFFSET // size, journals.journal_of(crashed).superblock_offset // size}
    different = {
        number
        for number in range(len(ours) // size)
        if ours[number * size : (number + 1) * size] != theirs[number * size : (number + 1) * size]
    }
    assert different <= own
    assert ours != crashed
    assert not Superblock.checked(MemorySource(theirs)).needs_recovery
    assert journals.journal_of(theirs).superblock.start == 0


@pytest.mark.parametrize("name", CRASHES)
def test_e2fsck_replays_what_the_kernel_replays(kernel: Asked, name: str, tmp_path: Path) -> None:
    crashed = kernel.images[f"crash-{name}"]
    image = tmp_path / "image"
    image.write_bytes(crashed)
    subprocess.run(["e2fsck", "-E", "journal_only", "-y", image], check=True, capture_output=True)
    theirs = gzip.decompress(kernel.answer(f"crash-{name}").files["image.gz"])
    data, size = image.read_bytes(), recover(MemorySource(crashed)).block_size
    own = {SUPERBLOCK_OFFSET // size, journals.journal_of(crashed).superblock_offset // size}
    for number in {*range(len(data) // size)} - own:
        place = slice(number * size, (number + 1) * size)
        assert data[place] == theirs[place], number


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_finds_a_transaction_whole_or_not_at_all(kernel: Asked, kind: str) -> None:
    old, new = (kernel.answer(f"{kind}-{name}").tree("files") for name in ("old", "new"))
    assert old != new
    found = []
    for number in range(EACH + 2):
        tree = kernel.answer(f"{kind}-cut-{number}").tree("files")
        assert tree in (old, new)
        found.append(tree == new)
    assert found == [False, *[True] * (EACH + 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_e2fsck_likes_what_the_kernel_leaves(kernel: Asked, kind: str, tmp_path: Path) -> None:
    image = tmp_path / "image"
    for number in range(EACH + 2):
        packed = kernel.answer(f"{kind}-cut-{number}").files["image.gz"]
        image.write_bytes(gzip.decompress(packed))
        done = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
