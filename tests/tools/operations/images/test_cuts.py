# SPDX-License-Identifier: Apache-2.0
"""Images added, removed, renamed, updated, and the power cut at any write, torn into sectors.

Whatever is left, the menu promises what it promised before or what it should afterwards, and every
image that it promises is whole: one of its two pairs of kernel and initramfs with the root that
belongs to it. And the same command, given again, ends what was begun.
"""

import random
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from liveos.errors import LiveosError
from liveos.host import volume_files
from liveos.host.folders import fat_folder
from liveos.medium.model import PersistenceKind
from liveos.operations.execute import execute
from liveos.operations.images.kept_memory import OverlayFate
from liveos.operations.plan import Plan
from tests.sampling import Sampling
from tests.tools.host.power_cuts import Recording, recorded_with_programs
from tests.tools.operations.images.sticks import (
    MIB,
    SECOND,
    Shown,
    files_of,
    make,
    make_with_syslinux,
    names_on,
    plan_add,
    plan_default,
    plan_remove,
    plan_rename,
    plan_update,
    shown,
    shown_by_syslinux,
)
from tests.tools.operations.overlay.sticks import NAME, Stick

pytestmark = pytest.mark.tools

Planner = Callable[[Stick], Plan]
DIRECTORY = PersistenceKind.DIRECTORY


def cut_everywhere(
    stick: Stick,
    planner: Planner,
    patch: pytest.MonkeyPatch,
    sampling: Sampling,
    *,
    syslinux: bool = False,
) -> None:
    """Do it once, and look at what is left wherever it might have been cut off.

    ``syslinux`` has a menu, too, which has never less than that of GRUB.
    """
    before, untouched = shown(stick), files_of(stick, NAME)
    with recorded_with_programs(stick.path, patch, fat_folder, volume_files) as recording:
        execute(planner(stick))
    after, there = shown(stick), names_on(stick)
    assert list(before.items()) != list(after.items())
    seen = set()
    for state in _states(recording, sampling, 14):
        stick.become(state)
        _is_sound(stick)
        found = shown(stick)
        assert list(found) in (list(before), list(after))
        for name, image in found.items():
            assert image in _whole(before.get(name), after.get(name)), name
        if syslinux:
            by_bios = shown_by_syslinux(stick)
            assert set(found) <= set(by_bios) <= {*before, *after}
            for name, image in by_bios.items():
                assert image in _whole(before.get(name), after.get(name)), name
        seen.add(tuple(found.items()))
    assert {tuple(before.items()), tuple(after.items())} <= seen
    # What leads to the end from here, leads there from the write after, too.
    some = Sampling(every=False).of(recording.prefixes(), 16 if sampling.every else 4, seed=2)
    for state in some:
        stick.become(state)
        stick.replay()
        _again(stick, planner)
        assert (shown(stick), names_on(stick)) == (after, there)
        assert not syslinux or list(shown_by_syslinux(stick).items()) == list(after.items())
        assert files_of(stick, NAME) == untouched
        _is_sound(stick)


def _again(stick: Stick, planner: Planner) -> None:
    """The same command; it is refused where nothing is left to be done."""
    try:
        plan = planner(stick)
    except LiveosError:
        return
    execute(plan)


def _states(recording: Recording, sampling: Sampling, most: int) -> Iterator[bytes]:
    torn = recording.torn(random.Random(3))
    return chain(sampling.of(recording.prefixes(), most), sampling.of(torn, most // 3))


def _whole(before: Shown | None, after: Shown | None) -> set[Shown]:
    """What an image may be; while its overlay is exchanged it keeps nothing."""
    known = {each for each in (before, after) if each is not None}
    forgetful = {Shown(each.kernel, each.initrd, each.root, None) for each in known}
    return known | forgetful


def _is_sound(stick: Stick) -> None:
    stick.replay()
    stick.check()
    assert not [fault for fault in stick.esp_faults() if "share" in fault or "Bad" in fault]


def test_add(
    tmp_path: Path, iso: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick = make(tmp_path)
    cut_everywhere(
        stick,
        lambda stick: plan_add(stick, iso, overlay_kind=DIRECTORY),
        monkeypatch,
        sampling,
    )


def test_remove(
    tmp_path: Path, iso: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick = make(tmp_path)
    execute(plan_add(stick, iso, overlay_kind=DIRECTORY))
    cut_everywhere(stick, plan_remove, monkeypatch, sampling)


def test_default(
    tmp_path: Path, iso: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick = make(tmp_path)
    execute(plan_add(stick, iso, overlay_kind=DIRECTORY))
    cut_everywhere(stick, lambda stick: plan_default(stick, SECOND), monkeypatch, sampling)


def test_rename(
    tmp_path: Path, iso: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick = make(tmp_path)
    execute(plan_add(stick, iso, overlay_kind=DIRECTORY))
    cut_everywhere(stick, lambda stick: plan_rename(stick, SECOND, "New"), monkeypatch, sampling)


@pytest.mark.parametrize("fate", OverlayFate)
def test_update(
    fate: OverlayFate,
    tmp_path: Path,
    iso: Path,
    newer: Path,
    monkeypatch: pytest.MonkeyPatch,
    sampling: Sampling,
) -> None:
    stick = make(tmp_path, 32 * MIB)
    execute(plan_add(stick, iso, overlay_kind=DIRECTORY))
    cut_everywhere(stick, lambda stick: plan_update(stick, newer, fate), monkeypatch, sampling)


SYSLINUX: dict[str, Planner] = {
    "remove": plan_remove,
    "default": lambda stick: plan_default(stick, SECOND),
    "rename": lambda stick: plan_rename(stick, SECOND, "New"),
}


def test_add_where_syslinux_has_a_menu(
    tmp_path: Path, iso: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick = make_with_syslinux(tmp_path)
    cut_everywhere(
        stick,
        lambda stick: plan_add(stick, iso, overlay_kind=DIRECTORY),
        monkeypatch,
        sampling,
        syslinux=True,
    )


@pytest.mark.parametrize("verb", SYSLINUX)
def test_a_change_where_syslinux_has_a_menu(
    verb: str, tmp_path: Path, iso: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick = make_with_syslinux(tmp_path)
    execute(plan_add(stick, iso, overlay_kind=DIRECTORY))
    assert list(shown_by_syslinux(stick).items()) == list(shown(stick).items())
    cut_everywhere(stick, SYSLINUX[verb], monkeypatch, sampling, syslinux=True)


def test_update_where_syslinux_has_a_menu(
    tmp_path: Path, iso: Path, newer: Path, monkeypatch: pytest.MonkeyPatch, sampling: Sampling
) -> None:
    stick = make_with_syslinux(tmp_path, 32 * MIB)
    execute(plan_add(stick, iso, overlay_kind=DIRECTORY))
    cut_everywhere(
        stick,
        lambda stick: plan_update(stick, newer, OverlayFate.SET_ASIDE),
        monkeypatch,
        sampling,
        syslinux=True,
    )
