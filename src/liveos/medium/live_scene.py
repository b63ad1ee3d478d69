# SPDX-License-Identifier: Apache-2.0
"""A medium that is mounted, as that of the running system is, opened for looking like any other.

Its files are read where they are mounted, what starts it from the ESP of the same disk.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from liveos.formats.binary import ByteSource
from liveos.medium.inspect import facts_of, opened
from liveos.medium.model import Medium, MediumKind
from liveos.medium.mounted import opened_with_esp, partition_at, started_from_beside
from liveos.medium.open_scene import scene_of_directory
from liveos.medium.running import LIVE, Running, find_running, is_live
from liveos.medium.scene import Scene
from liveos.report import Finding, Severity

Found = tuple[Scene, ByteSource | None]
_DISC = "iso9660"


@contextmanager
def opened_running(running: Running, system: Path = Path("/")) -> Iterator[Found]:
    """As `inspect.opened`; ``system`` stands in for / in tests.

    :raises NotPermittedError: only root may read the disk.
    """
    if running.filesystem == _DISC:
        # A partition of a stick that an ISO was written to is not all of it; its disk is.
        with opened(system / "dev" / running.disk) as (scene, source):
            yield replace(scene, path=Path(LIVE)), source
        return
    partition = partition_at(running.mount, system)
    if partition is None:
        yield replace(scene_of_directory(running.mount), path=Path(LIVE)), None
        return
    with opened_with_esp(partition) as (scene, source):
        yield replace(scene, path=Path(LIVE)), source


@contextmanager
def opened_for_looking(path: Path, system: Path = Path("/")) -> Iterator[Found]:
    """As `inspect.opened`; or the running medium if that is meant, or one that is mounted.

    Of both, as much as one may read.
    """
    if is_live(path):
        running = find_running(system)
        whole, mount, disk = opened_running(running, system), running.mount, running.disk
    elif path.is_dir() and (mounted := started_from_beside(path, system)) is not None:
        whole, mount, disk = opened_with_esp(mounted), mounted.mount, mounted.disk.name
    else:
        whole, mount, disk = opened(path), path, None
    if disk is None or os.access(system / "dev" / disk, os.R_OK):
        with whole as (scene, source):
            yield replace(scene, path=path), source
        return
    message = (
        f"/dev/{disk} may not be read: what starts these images, and what is beside them, is not"
        " known"
    )
    finding = Finding("in-part", Severity.INFO, message, "run it as root")
    yield replace(scene_of_directory(mount), path=path, findings=(finding,)), None


def look(path: Path, system: Path = Path("/")) -> Medium:
    """As `inspect.inspect`, also of the running system."""
    with opened_for_looking(path, system) as (scene, source):
        medium = facts_of(scene, source)
    return replace(medium, kind=kind_of(path, scene))


def kind_of(path: Path, scene: Scene) -> MediumKind:
    """What a person named."""
    return MediumKind.LIVE if is_live(path) else scene.kind
