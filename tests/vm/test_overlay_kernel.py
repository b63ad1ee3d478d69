# SPDX-License-Identifier: Apache-2.0
"""Overlays that our verbs have worked on, under real kernels: mounted, written to, merged.

They come from a recorded crash: a kernel wrote to an ext4 filesystem through a snapshot and was
stopped. And forecasts, held against kernels that fill stores.
"""

import hashlib
import re
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from liveos.cli.main import main
from liveos.cli.verbs import OVERLAY_VERBS
from liveos.formats.binary import MemorySource
from liveos.formats.exception_store import (
    LINUX_6_1,
    LINUX_6_12,
    Geometry,
    MergedView,
    merging,
    read_store,
    status_line,
)
from liveos.formats.exception_store.spans import Span, SpannedSource
from liveos.medium.overlay.check import StoreState, check_store
from liveos.medium.overlay.forecast import Ending, forecast_blank
from tests.data.snapshot_cases import Recorded, origin_pattern, recordings
from tests.unit.formats.exception_store.power_cuts import Device, Tape
from tests.vm.errands import Answer, Errands, answer_of, once
from tests.vm.snapshot_guest import SUITES, GuestResult

pytestmark = pytest.mark.vm

RULES = {"bookworm": LINUX_6_1, "trixie": LINUX_6_12}
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Bench:
    """A crashed overlay and its root as files, to be worked on with the command line."""

    store: Path
    origin: Path

    def run(self, *words: object) -> None:
        assert main(["overlay", *map(str, words), "--yes"]) == 0

    def damage(self, offset: int, data: bytes) -> None:
        content = bytearray(self.store.read_bytes())
        content[offset : offset + len(data)] = data
        self.store.write_bytes(content)

    def beside(self, name: str) -> Path:
        return self.store.with_name(name)


def restored_of_text(bench: Bench) -> None:
    text, new = bench.beside("text"), bench.beside("new")
    assert main(["overlay", "dump", str(bench.store), "--data-hashes", "-o", str(text)]) == 0
    bench.run("restore", text, "-o", new, "--data", bench.store)
    new.rename(bench.store)


def restored_into(bench: Bench) -> None:
    pack = bench.beside("pack")
    assert main(["overlay", "pack", str(bench.store), "-o", str(pack)]) == 0
    bench.run("reset", bench.store)
    bench.run("restore", pack, "--into", bench.store)


def reset(bench: Bench) -> None:
    bench.run("reset", bench.store)


def larger(bench: Bench) -> None:
    bench.run("resize", bench.store, "5M", "--origin", bench.origin)


def smaller(bench: Bench) -> None:
    bench.run("resize", bench.store, "2M", "--origin", bench.origin)


def compacted(bench: Bench) -> None:
    bench.run("compact", bench.store, "--origin", bench.origin)


def compacted_in_place(bench: Bench) -> None:
    bench.run("compact", bench.store, "--origin", bench.origin, "--in-place")


def repaired_into_new(bench: Bench) -> None:
    """Marked invalid, and with an old record behind the end of the list."""
    bench.damage(4, bytes(4))
    bench.damage(slot_after_list(bench, 3), struct.pack("<QQ", 7, 9))
    new = bench.beside("new")
    bench.run("repair", bench.store, "-o", new, "--origin", bench.origin)
    new.rename(bench.store)


def repaired_in_place(bench: Bench) -> None:
    """Marked invalid, and with a record for data in an area at the end of the list."""
    bench.damage(4, bytes(4))
    bench.damage(slot_after_list(bench, 0), struct.pack("<QQ", 7, 1))
    bench.run("repair", bench.store, "--in-place", "--origin", bench.origin)


def header_found_again(bench: Bench) -> None:
    bench.damage(0, bytes(16))
    bench.run("repair", bench.store, "--in-place", "--no-fs")


def slot_after_list(bench: Bench, number: int) -> int:
    """Where a slot behind the list lies, in bytes; it is short of an area."""
    records = struct.iter_unpack("<QQ", bench.store.read_bytes()[CHUNK : 2 * CHUNK])
    used = next(slot for slot, (_, new) in enumerate(records) if not new)
    return CHUNK + 16 * (used + number)


@dataclass(frozen=True, slots=True)
class Worked:
    """What has been done to an overlay; ``is_empty`` if nothing of it is left."""

    name: str
    work: Callable[[Bench], None]
    is_empty: bool = False


WORKED = (
    Worked("restored-of-text", restored_of_text),
    Worked("restored-into", restored_into),
    Worked("reset", reset, is_empty=True),
    Worked("larger", larger),
    Worked("smaller", smaller),
    Worked("compacted", compacted),
    Worked("compacted-in-place", compacted_in_place),
    Worked("repaired-into-new", repaired_into_new),
    Worked("repaired-in-place", repaired_in_place),
    Worked("header-found-again", header_found_again),
)
LIVE = r"""
total=$(($(stat -c %s c) / 512))
snap s o c PO 8; status s >$d/loaded
mount -t ext4 /dev/mapper/s mnt; files $d/files
dd if=in/writes of=mnt/fresh bs=1000 count=40 2>/dev/null
umount mnt; status s >$d/written; unload s; detach c
cp c $d/store
snap m o c P 8 snapshot-merge
until [ "$(status m)" = "16/$total 16" ]; do sleep 0.1; done
unload m; detach c; detach o; hash o >$d/merged
mount -t ext4 -o loop,ro o mnt; files $d/files-merged; umount mnt
"""
PLAIN = "mount -t ext4 -o loop,ro o mnt; files $d/files; umount mnt"

# Forecasts

ENDINGS = [(size, option) for size in (257, 258, 259, 515, 516) for option in ("P", "PO")]
SIZE_256M = 65536
NEWEST = "trixie"
# ``many`` chunks at once, then one after the other until a write fails; dd counts those.
FILL = r"""
rm -f c o; truncate -s $((%(size)d * 4096)) c; truncate -s %(origin)s o
snap s o c %(option)s 8
/bin/dd if=/dev/zero of=/dev/mapper/s bs=1M iflag=count_bytes count=$((%(many)d * 4096)) \
    oflag=direct 2>/dev/null
/bin/dd if=/dev/zero of=/dev/mapper/s bs=4096 seek=%(many)d oflag=direct 2>$d/dd || true
status s >$d/live; unload s
snap s o c %(option)s 8; status s >$d/reloaded; unload s; detach c; detach o
/bin/dd if=c bs=4096 count=1 of=$d/metadata 2>/dev/null
area=1; while [ $area -lt %(size)d ]; do
    /bin/dd if=c bs=4096 skip=$area count=1 2>/dev/null >>$d/metadata; area=$((area + 257)); done
"""


def crashed(suite: str) -> Recorded:
    return recordings()[suite, "ext4-crashed"]


def worked_on(work: Callable[[Bench], None], suite: str, folder: Path) -> tuple[bytes, bytes]:
    """(origin, store) after the work."""
    folder.mkdir()
    one = crashed(suite)
    bench = Bench(folder / "store", folder / "rootfs.img")
    bench.store.write_bytes(one.store)
    bench.origin.write_bytes(one.files["origin"])
    work(bench)
    return bench.origin.read_bytes(), bench.store.read_bytes()


@dataclass(frozen=True)
class Asked:
    """A kernel's answers, and what it was given by name: (origin, store)."""

    suite: str
    result: GuestResult
    pairs: dict[str, tuple[bytes, bytes]]

    def answer(self, name: str) -> Answer:
        return answer_of(self.result, name)


@pytest.fixture(scope="module", params=SUITES)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    home = tmp_path_factory.mktemp("overlays")
    return once(tmp_path_factory, f"overlays-{request.param}", lambda: asked(request.param, home))


def asked(suite: str, home: Path) -> Asked:
    errands = Errands()
    pairs = {one.name: worked_on(one.work, suite, home / one.name) for one in WORKED}
    errands.add("origin", PLAIN, o=crashed(suite).files["origin"])
    for name, (origin, store) in pairs.items():
        errands.add(name, LIVE, o=origin, c=store)
    for number, (origin, store) in enumerate(half_merged(suite)):
        pairs[f"half-{number}"] = origin, store
        errands.add(f"half-{number}", HALF, o=origin, c=store)
    for size, option in ENDINGS:
        values = {"size": size, "option": option, "origin": "4M", "many": many_before(size)}
        errands.add(f"fill-{size}-{option}", FILL % values)
    if suite == NEWEST:  # it takes the time of ten others
        values = {"size": SIZE_256M, "option": "PO", "origin": "300M"}
        values["many"] = many_before(SIZE_256M)
        errands.add("fill-256M", FILL % values)
    return Asked(suite, errands.run(suite), pairs)


def many_before(size: int) -> int:
    """Chunks that fit surely, a few before the end."""
    return size - size // 257 - 20


def view_of(pair: tuple[bytes, bytes]) -> bytes:
    origin, store = MemorySource(pair[0]), MemorySource(pair[1])
    view = MergedView(origin, read_store(store), store)
    return view.read_at(0, view.size)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("one", WORKED, ids=lambda one: one.name)
def test_the_kernel_mounts_it_and_the_files_are_there(kernel: Asked, one: Worked) -> None:
    answer = kernel.answer(one.name)
    expected = Answer({"files": crashed(kernel.suite).facts["files"].encode()}).tree("files")
    if one.is_empty:
        expected = kernel.answer("origin").tree("files")
    assert expected
    assert answer.tree("files") == expected
    _, store = kernel.pairs[one.name]
    assert answer.text("loaded") == status_line(MemorySource(store))


@pytest.mark.parametrize("one", WORKED, ids=lambda one: one.name)
def test_the_kernel_writes_to_it_and_merges_it(kernel: Asked, one: Worked, tmp_path: Path) -> None:
    answer = kernel.answer(one.name)
    origin, _ = kernel.pairs[one.name]
    written = answer.files["store"]
    assert answer.text("written") == status_line(MemorySource(written))
    view = view_of((origin, written))
    assert answer.text("merged") == digest(view)
    merged = answer.tree("files-merged")
    assert merged.items() >= answer.tree("files").items()
    assert merged.keys() - answer.tree("files").keys() == {"./fresh"}
    image = tmp_path / "view"
    image.write_bytes(view)
    done = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# Merges in place that were cut off

HALF = r"""
total=$(($(stat -c %s c) / 512))
snap s o c PO 8; status s >$d/loaded; hash /dev/mapper/s >$d/view; unload s; detach c
snap m o c P 8 snapshot-merge
until [ "$(status m)" = "16/$total 16" ]; do sleep 0.1; done
unload m; detach c; detach o; hash o >$d/merged; cp c $d/store
"""
HALVES = 3


def half_merged(suite: str) -> list[tuple[bytes, bytes]]:
    """Pairs as merges in place leave them when the power goes; 2000 records in eight areas."""
    before = recordings()[suite, "parallel"].store
    origin, device = (
        Device(data, tape) for tape in [Tape()] for data in (origin_pattern(), before)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "_BATCH", 1)  # one area at a time
        merging.merge_into_origin(origin, device, read_store(MemorySource(before)))
    events = len(origin.tape.events)
    pairs = []
    for number in range(HALVES):
        position, dice = events * (number + 1) // (HALVES + 1) + number, Random(number)
        left = [each.cut(position, dice, 0.5) for each in (origin, device)]
        pairs.append((bytes(left[0]), bytes(left[1])))
    return pairs


@pytest.mark.parametrize("number", range(HALVES))
def test_a_merge_in_place_that_was_cut_off_loses_nothing(kernel: Asked, number: int) -> None:
    one = recordings()[kernel.suite, "parallel"]
    answer = kernel.answer(f"half-{number}")
    _, store = kernel.pairs[f"half-{number}"]
    assert 0 < read_store(MemorySource(store)).count < read_store(MemorySource(one.store)).count
    assert answer.text("view") == one.facts["view"]
    assert answer.text("merged") == one.facts["view"]
    assert answer.text("loaded") == status_line(MemorySource(store))


def metadata(answer: Answer, size: int) -> SpannedSource:
    """A store of which only the header and the areas came out of the guest."""
    areas = (size - 2) // 257 + 1
    spans = Span.single(0, CHUNK), Span(CHUNK, CHUNK, 257 * CHUNK, areas)
    return SpannedSource(size * CHUNK, spans, MemorySource(answer.files["metadata"]))


@pytest.mark.parametrize(("size", "option"), ENDINGS)
def test_stores_end_as_forecast(kernel: Asked, size: int, option: str) -> None:
    answer = kernel.answer(f"fill-{size}-{option}")
    rules = replace(RULES[kernel.suite], can_overflow=option == "PO")
    foretold = forecast_blank(Geometry(8), size * CHUNK, 4 << 20, rules)
    assert answer.text("live") == foretold.ending.value.capitalize()
    written = re.search(r"(\d+)\+0 records out", answer.text("dd"))
    assert written
    assert foretold.new_chunks == many_before(size) + int(written[1])


def test_an_overlay_of_256_mib_dies_when_it_is_full(kernel: Asked) -> None:
    """Fact 5, in the size that people choose; a chunk more, and it would overflow."""
    if kernel.suite != NEWEST:
        return
    answer = kernel.answer("fill-256M")
    foretold = forecast_blank(Geometry(8), SIZE_256M * CHUNK, 300 << 20)
    assert foretold.ending is Ending.INVALID
    assert answer.text("live") == answer.text("reloaded") == "Invalid"
    store = metadata(answer, SIZE_256M)
    assert status_line(store) == "Invalid"
    assert check_store(store).state is StoreState.INVALID
    more = forecast_blank(Geometry(8), (SIZE_256M + 1) * CHUNK, 300 << 20)
    assert more.ending is Ending.OVERFLOW


def test_every_verb_that_makes_stores_is_tried() -> None:
    """What is missing here has no kernel's word."""
    assert {"compact", "repair", "reset", "resize", "restore"} <= set(OVERLAY_VERBS)
