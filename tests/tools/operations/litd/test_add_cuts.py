# SPDX-License-Identifier: Apache-2.0
"""An image added to a stick of livecd-iso-to-disk, and removed, cut off, and torn.

Each menu is the old one or the new one then; what one of them starts is whole; what was there
before has not changed; and the same command, given again, ends what was begun.
"""

import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host import volume_files
from liveos.host.folders import fat_folder
from tests.litd_sticks import MIB, Old, OldStick, make_old_stick, run
from tests.sampling import Sampling
from tests.tools.host.power_cuts import Recording, leave, recorded_with_programs
from tests.tools.operations.litd.contents import NAME, digest, others, sums
from tests.tools.operations.litd.test_service import menus

pytestmark = pytest.mark.tools

PLACES, MOST = 12, 60
"""Cuts that are looked at, and where every one should be: each costs a second here.

What `tests.tools.operations.images.test_cuts` cuts at every write is written by the same steps.
"""
KINDS = {
    "msdos-fat": Old(overlay=None, size_mib=40),
    "gpt-ext4": Old(filesystem="ext4", efi=True, overlay=None, size_mib=56),
}


def states(recording: Recording, sampling: Sampling) -> Iterator[bytes]:
    some, most = Sampling(every=False), MOST if sampling.every else PLACES
    torn = recording.torn(random.Random(5))
    return chain(some.of(recording.prefixes(), most), some.of(torn, most // 2))


def is_sound(stick: OldStick) -> None:
    """As far as a cut may leave it: what no file has is no harm."""
    if not stick.old.is_fat:
        replay(stick)
        stick.check()
        return
    copy = stick.path.with_suffix(".part")
    with stick.path.open("rb") as file:
        file.seek(stick.offset)
        copy.write_bytes(file.read(stick.old.size_mib * MIB))
    found = run("sh", "-c", f"fsck.fat -n {copy} || :").decode()
    assert "share" not in found
    assert "Bad" not in found


def replay(stick: OldStick) -> None:
    """What a kernel does before it looks."""
    where = f"{stick.path}?offset={stick.offset}"
    run("sh", "-c", f"e2fsck -fy -E journal_only '{where}' || :")


@pytest.fixture(params=["msdos-fat", "gpt-ext4"])
def stick(request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> OldStick:
    return make_old_stick(tmp_path, source, KINDS[request.param])


@pytest.mark.parametrize("verb", ["add", "remove"])
def test_cuts(
    verb: str, stick: OldStick, nested: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    where = [str(nested), str(stick.path)]
    words = {
        "add": ["install", "--add", "--name", NAME, "--overlay", "16M", *where],
        "remove": ["remove", f"{stick.path}:{NAME}"],
    }
    first = menus(stick)
    untouched = others(stick)
    if verb == "remove":
        assert main([*words["add"], "--yes"]) == ExitStatus.DONE
    before, image = menus(stick), sums(stick, f"/{NAME}") if verb == "remove" else {}
    with recorded_with_programs(stick.path, monkeypatch, fat_folder, volume_files) as recording:
        assert main([*words[verb], "--yes"]) == ExitStatus.DONE
    after = menus(stick)
    image = image or sums(stick, f"/{NAME}")
    assert before != after
    seen = set()
    for number, state in enumerate(states(recording, sampling)):
        leave(state, stick.path)
        is_sound(stick)
        found = menus(stick)
        for path, text in found.items():
            assert text in (before[path], after[path]), path
        if any(text != first[path] for path, text in found.items()):
            assert sums(stick, f"/{NAME}") == image
        # One by one: mtools stop at what is not wholly there yet.
        assert {path: digest(stick, path) for path in untouched} == untouched
        seen.add(tuple(found.items()))
        if number % 6 == 0:
            ended = again(stick, words[verb])
            assert menus(stick) == after
            assert {path: digest(stick, path) for path in untouched} == untouched
            assert not ended or others(stick) == untouched
            is_sound(stick)
    assert {tuple(before.items()), tuple(after.items())} <= seen


def again(stick: OldStick, words: list[str]) -> bool:
    """The same command; it is refused where nothing is left to be done but clearing up."""
    status = main([*words, "--yes"])
    assert status in {ExitStatus.DONE, ExitStatus.REFUSED, ExitStatus.USAGE}
    assert "liveos.unfinished" not in stick.names("/") or status is not ExitStatus.DONE
    return status is ExitStatus.DONE
