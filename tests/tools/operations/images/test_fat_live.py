# SPDX-License-Identifier: Apache-2.0
"""Several images on a stick whose LIVE is FAT32, beside an ESP; other programs look at both."""

import hashlib
from pathlib import Path
from uuid import UUID

import pytest

from liveos.errors import UnsupportedError
from liveos.host.target import look_at
from liveos.medium.inspect import inspect
from liveos.medium.listing import list_images
from liveos.medium.model import PersistenceKind
from liveos.medium.stick import open_stick
from liveos.operations.execute import execute
from liveos.operations.images.kept_memory import OverlayFate
from liveos.operations.images.plans import add, remove, rename, update
from liveos.operations.install.filesystems import Fat32
from liveos.operations.install.stick import HomeRequest
from liveos.operations.plan import Plan
from liveos.sizes import Size
from tests.tools.operations import layouts, tiny
from tests.tools.operations.images.sticks import (
    MIB,
    SECOND,
    SYSTEM,
    digest_of,
    make_source,
    request,
    store,
)
from tests.tools.operations.layouts import cut, partitions, read_fat
from tests.tools.operations.overlay.stores import run

pytestmark = pytest.mark.tools


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    source = tiny.make_iso(tmp_path)
    return layouts.made(source, tmp_path / "stick.img", filesystem=Fat32())


def plan_add(stick: Path, iso: Path, **changes: object) -> Plan:
    with open_stick(stick) as opened:
        target = look_at(opened.device, iso)
        return add.plan(request(**changes), inspect(iso), opened, target, SYSTEM)


def live_of(stick: Path, scratch: Path) -> Path:
    """The filesystem of the images, which is sound, as that of the ESP is."""
    _, esp, live = partitions(stick)
    run("fsck.fat", "-n", cut(stick, esp, scratch / "esp"))
    run("fsck.fat", "-n", cut(stick, live, scratch / "live"))
    return scratch / "live"


def sum_of(live: Path, path: str) -> str:
    return hashlib.sha256(read_fat(live, path)).hexdigest()


def test_an_image_comes_is_updated_and_goes(stick: Path, iso: Path, tmp_path: Path) -> None:
    first = sum_of(live_of(stick, tmp_path), "/LiveOS/squashfs.img")
    home = HomeRequest(Size(bytes=40 * MIB), encrypted=False)
    execute(plan_add(stick, iso, overlay=store(), home=home))
    live = live_of(stick, tmp_path)
    assert sum_of(live, f"/{SECOND}/squashfs.img") == digest_of(iso, "/LiveOS/squashfs.img")
    assert sum_of(live, "/LiveOS/squashfs.img") == first
    names = run("mdir", "-b", "-i", live, f"::/{SECOND}").decode().casefold()
    assert all(name in names for name in ("/overlay-", "/home.img", "/image.json"))
    listed = list_images(stick).images
    assert [each.image.name for each in listed] == ["LiveOS", SECOND]
    assert listed[1].image.overlay is not None
    assert listed[1].image.overlay.kind is PersistenceKind.SNAPSHOT

    newer = make_source(tmp_path, "Fedora-WS-Live-41-newer")
    with open_stick(stick) as opened:
        wanted = update.UpdateRequest(uuid=UUID(int=9), overlay=OverlayFate.SET_ASIDE)
        target = look_at(stick, newer)
        execute(update.plan(wanted, inspect(newer), opened, SECOND, target, SYSTEM))
    live = live_of(stick, tmp_path)
    assert sum_of(live, f"/{SECOND}/squashfs-2.img") == digest_of(newer, "/LiveOS/squashfs.img")
    names = run("mdir", "-b", "-i", live, f"::/{SECOND}").decode()
    assert names.count("overlay-") == 2
    assert "/old-overlay-" in names

    with open_stick(stick) as opened:
        execute(remove.plan(opened, SECOND))
    live = live_of(stick, tmp_path)
    assert SECOND not in run("mdir", "-b", "-i", live, "::/").decode()
    assert sum_of(live, "/LiveOS/squashfs.img") == first


def test_what_fat_cannot_have(stick: Path, iso: Path) -> None:
    with pytest.raises(UnsupportedError, match="neither owners nor attributes"):
        plan_add(stick, iso, overlay_kind=PersistenceKind.DIRECTORY)
    with open_stick(stick) as opened, pytest.raises(UnsupportedError, match="no link can lead"):
        rename.plan(opened, "LiveOS", "Other")


def test_one_partition_for_everything(tmp_path: Path) -> None:
    source = tiny.make_iso(tmp_path)
    stick = layouts.made(source, tmp_path / "stick.img", filesystem=Fat32(), single=True)
    with pytest.raises(UnsupportedError, match="one partition for everything"):
        open_stick(stick).__enter__()
