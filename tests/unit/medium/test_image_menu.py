# SPDX-License-Identifier: Apache-2.0
"""The menu of an image, found where liveos puts it, with every byte that is in there."""

from pathlib import Path

import pytest

from liveos.errors import UnsupportedError
from liveos.host.folders.folder import HostFolder
from liveos.medium.image_menu import find_image_menu
from liveos.medium.menus.text import MOST_TEXT
from liveos.medium.open_scene import scene_of_directory
from liveos.operations.menus.text import image_menu_path

TEXT = b"# \xff\r\nmenuentry 'Start' {\r\n  linuxefi /k root=live:UUID=1 quiet\r\n}\r\n"


def put(top: Path, name: str, text: bytes) -> Path:
    path = top / image_menu_path(name).lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    return path


def test_the_menu_of_an_image(tmp_path: Path) -> None:
    path = put(tmp_path, "Rescue", TEXT)
    menu = find_image_menu(scene_of_directory(tmp_path), "Rescue")
    assert menu is not None
    assert menu.place.folder == HostFolder(path.parent)
    assert menu.place.name == path.name
    assert menu.text.encode("utf-8", "surrogateescape") == TEXT
    assert [entry.title for entry in menu.entries] == ["Start"]
    assert menu.entries[0].options == ("root=live:UUID=1", "quiet")


def test_other_sticks_have_none(tmp_path: Path) -> None:
    put(tmp_path, "Rescue", TEXT)
    scene = scene_of_directory(tmp_path)
    for name in ("LiveOS", "/"):
        assert find_image_menu(scene, name) is None


def test_what_is_too_long_is_no_menu(tmp_path: Path) -> None:
    put(tmp_path, "LiveOS", b"#" * (MOST_TEXT + 1))
    with pytest.raises(UnsupportedError, match="no menu"):
        find_image_menu(scene_of_directory(tmp_path), "LiveOS")
