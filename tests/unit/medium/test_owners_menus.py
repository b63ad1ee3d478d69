# SPDX-License-Identifier: Apache-2.0
"""Which menus start an image on a stick of another maker, and when none of them may be changed."""

from pathlib import Path

import pytest

from liveos.medium.inspect import images_of, opened
from liveos.medium.owners_menus import NO_MENUS, OwnersMenus, find_owners_menus, starts_image


@pytest.mark.parametrize(
    ("line", "directory"),
    [
        ("root=live:UUID=1 rd.live.image", "LiveOS"),
        ("root=live:LABEL=x rd.live.dir=/Rescue/", "rescue"),
        ("root=live:UUID=1 live_dir=Old", "Old"),
    ],
)
def test_lines_that_start_an_image(line: str, directory: str) -> None:
    assert starts_image(line.split(), directory)
    assert not starts_image(line.split(), "other")
    assert not starts_image(line.replace("live:", "").split(), directory)


def test_a_directory_is_only_a_part_of_a_stick(tmp_path: Path) -> None:
    """The ESP, with its copy of the menu, is another filesystem."""
    (tmp_path / "LiveOS").mkdir()
    (tmp_path / "LiveOS/squashfs.img").write_bytes(b"hsqs")
    (tmp_path / "syslinux").mkdir()
    menu = tmp_path / "syslinux/syslinux.cfg"
    menu.write_text("label x\nkernel k\nappend root=live:UUID=1 rd.live.image\n")
    found = menus_of(tmp_path)
    assert [file.path for file in found.files] == ["/syslinux/syslinux.cfg"]
    assert found.problem == "only a part of the stick is here"


def test_an_image_that_nothing_starts() -> None:
    assert NO_MENUS.files == ()
    assert NO_MENUS.problem


def menus_of(path: Path) -> OwnersMenus:
    with opened(path) as (scene, _):
        return find_owners_menus(scene, images_of(scene).images[0], "LiveOS")
