# SPDX-License-Identifier: Apache-2.0
"""A layer over a medium that takes every write, so that the medium is only ever read."""

from dataclasses import dataclass
from pathlib import Path

from liveos.formats.binary import FileSource
from liveos.host.machine.qemu import layer_command, patch_command
from liveos.host.run import run

_SECTOR = 2048


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes that take the place of what the medium has at ``offset``."""

    offset: int
    data: bytes


def make_layer(medium: Path, layer: Path, patches: tuple[Patch, ...] = ()) -> None:
    """A layer over ``medium`` that has ``patches``."""
    with FileSource(medium) as source:
        size = -(-source.size // _SECTOR) * _SECTOR
    run(layer_command(medium, layer, size))
    patch_layer(layer, patches)


def patch_layer(layer: Path, patches: tuple[Patch, ...]) -> None:
    """Write ``patches`` into a layer that no machine uses."""
    for patch in patches:
        run(patch_command(layer, patch.offset, len(patch.data)), stdin=patch.data)
