# SPDX-License-Identifier: Apache-2.0
"""Changes to sticks that no verb makes: the initramfs of another image, wrong words at boot."""

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from liveos.formats.binary import FileSource, Window
from liveos.formats.partitions import read_table
from liveos.medium.image_menu import find_image_menu
from liveos.medium.inspect import inspect
from liveos.medium.model import FileRef
from liveos.medium.open_scene import scene_of_file
from liveos.operations.execute import execute
from liveos.operations.menus.change import change_words
from liveos.operations.plan import Plan
from liveos.operations.steps.menus import ReplaceMenu

_ESP_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


def change_line(
    stick: Path, *, add: Iterable[str] = (), drop: Callable[[str], bool] = lambda _: False
) -> None:
    """Other words on every kernel line of a stick's only image."""
    with FileSource(stick) as source:
        menu = find_image_menu(scene_of_file(stick, source), "LiveOS")
    assert menu is not None
    text = change_words(menu, add=add, drop=drop)
    assert text != menu.text
    execute(Plan("change words", (ReplaceMenu(menu.place, text),)))


def word_of(stick: Path, name: str) -> str:
    """The value of a word on the line of a stick's first entry."""
    value = inspect(stick).images[0].entries[0].option(name)
    assert value is not None
    return value


def transplant(stick: Path, iso: Path) -> None:
    """Start a stick's image with the kernel and the initramfs of another ISO.

    So a root of one generation meets the dracut of another, which no test image has.
    """
    (there,), (here,) = inspect(iso).images, inspect(stick).images
    _replace(stick, here.kernels[0].file.path, there.kernels[0].file)
    _replace(stick, here.initramfs[0].file.path, there.initramfs[0].file)


def _replace(stick: Path, path: str, new: FileRef) -> None:
    assert new.extents is not None
    with FileSource(new.container) as source:
        pieces = [
            Window(source, extent.offset, extent.length).read_at(0, extent.length)
            for extent in new.extents
            if extent.offset is not None
        ]
    esp = f"{stick}@@{esp_offset(stick)}"
    command = ["mcopy", "-o", "-i", esp, "-", f"::{path}"]
    subprocess.run(command, input=b"".join(pieces)[: new.size], check=True)


def esp_offset(stick: Path) -> int:
    """Where the ESP of a stick begins, in bytes."""
    with FileSource(stick) as source:
        table = read_table(source)
    assert table is not None
    (esp,) = [part for part in table.partitions if part.type.lower() == _ESP_TYPE]
    return esp.offset
