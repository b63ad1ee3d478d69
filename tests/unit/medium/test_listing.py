# SPDX-License-Identifier: Apache-2.0
"""The images of a medium in short."""

import json
import shutil
from pathlib import Path

import pytest

from liveos.errors import UsageError
from liveos.medium.document import listing_document
from liveos.medium.listing import ListedImage, Listing, list_images
from liveos.medium.model import PersistenceKind
from tests.unit.medium import payloads
from tests.unit.medium.eras import ERAS


def only_image(directory: Path) -> ListedImage:
    (image,) = list_images(directory).images
    return image


@pytest.mark.parametrize("name", ERAS)
def test_every_era_is_listed(name: str, tmp_path: Path) -> None:
    era = ERAS[name]()
    listed = only_image(era.write(tmp_path))
    assert listed.image.name == era.live_directory
    assert (listed.dracut, listed.kernel) == (era.dracut, era.kernel_version)
    assert listed.form == ("nested" if era.nested else "flat")
    assert listed.title


def two_images(tmp_path: Path) -> Listing:
    stick = ERAS["fedora-40"]().write(tmp_path)
    (stick / "A1b2").mkdir()
    (stick / "A1b2/squashfs.img").write_bytes(payloads.FLAT_SQUASHFS)
    menu = stick / "EFI/BOOT/grub.cfg"
    menu.write_text(menu.read_text() + "menuentry 'Start Second' {\n linux /vmlinuz "
                    "root=live:UUID=1 rd.live.image rd.live.dir=A1b2\n}\n")  # fmt: skip
    return list_images(stick)


def test_the_image_that_starts_by_itself_is_marked(tmp_path: Path) -> None:
    listed = {each.image.name: each for each in two_images(tmp_path).images}
    assert {name: each.is_default for name, each in listed.items()} == {
        "LiveOS": True,
        "A1b2": False,
    }
    assert listed["A1b2"].title == "Second"
    assert listed["A1b2"].form == "flat"


@pytest.mark.parametrize(
    ("record", "title"),
    [
        (b'{"source": {"label": "A-Label-40"}}', "A-Label-40"),
        (b'{"source": {"label": null}}', None),
        (b'{"source": []}', None),
        (b"[" * 100_000, None),
        (b"\xff", None),
    ],
)
def test_a_record_names_the_source_and_a_damaged_one_does_not(
    record: bytes, title: str | None, tmp_path: Path
) -> None:
    stick = ERAS["fedora-40"]().write(tmp_path)
    without = only_image(stick).title
    (stick / "LiveOS/image.json").write_bytes(record)
    assert only_image(stick).title == (title or without)


def test_room_of_a_store_and_of_a_directory(tmp_path: Path) -> None:
    live = ERAS["fedora-40"]().write(tmp_path) / "LiveOS"
    (live / "overlay--").write_bytes(bytes(1 << 20))
    room = only_image(tmp_path).room
    assert room is not None
    # 256 chunks: the header, an area, and for each 256 records one more.
    assert (room.size, room.free, room.fullness) == (1 << 20, 254 << 12, 0.0)
    (live / "overlay--").unlink()
    (live / "overlay--").mkdir()
    room = only_image(tmp_path).room
    assert room is not None
    assert (room.size, room.fullness) == (None, None)
    assert room.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)


def test_room_of_an_image_is_that_of_its_filesystem(tmp_path: Path) -> None:
    live = ERAS["fedora-40"]().write(tmp_path) / "LiveOS"
    (live / "overlay--").write_bytes(payloads.BARE_EXT4)
    listed = only_image(tmp_path)
    assert listed.image.overlay is not None
    assert listed.image.overlay.kind is PersistenceKind.IMAGE
    assert listed.room is not None
    # dumpe2fs: 64 blocks of 4096 bytes, 44 of them free.
    assert (listed.room.size, listed.room.free) == (64 * 4096, 44 * 4096)
    assert listed.room.fullness == pytest.approx(20 / 64)


def test_document(tmp_path: Path) -> None:
    document = listing_document(two_images(tmp_path))
    assert json.loads(json.dumps(document)) == document
    first, second = document["images"]
    assert (first["name"], first["default"], second["default"]) == ("LiveOS", True, False)
    assert {"title", "root", "dracut", "kernel", "overlay", "home", "swap"} <= first.keys()


def test_a_bare_root_is_an_image_without_memory(tmp_path: Path) -> None:
    (tmp_path / "x.squashfs").write_bytes(payloads.FLAT_SQUASHFS)
    listed = only_image(tmp_path / "x.squashfs")
    assert (listed.form, listed.room, listed.is_default) == ("flat", None, False)


def test_what_is_not_there(tmp_path: Path) -> None:
    assert list_images(tmp_path).images == ()
    with pytest.raises(UsageError):
        list_images(tmp_path / "missing")
