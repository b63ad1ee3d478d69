# SPDX-License-Identifier: Apache-2.0
"""The medium that this system was booted from, opened for looking like any other one.

Its files are read where they are mounted, what starts it from the ESP of the same disk.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from liveos.errors import NotPermittedError, UnsupportedError
from liveos.formats.binary import ByteSource, FormatError
from liveos.medium.inspect import facts_of, opened
from liveos.medium.model import Medium, MediumKind
from liveos.medium.mounted import opened_with_esp, partition_at
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
    try:
        with opened_with_esp(running.mount, partition) as (scene, source):
            yield replace(scene, path=Path(LIVE)), source
    except PermissionError as error:
        raise NotPermittedError(
            f"{error.filename} may not be read", hint="run it as root"
        ) from error
    except FormatError as error:
        raise UnsupportedError(f"{partition.disk}: {error}") from error


@contextmanager
def opened_for_looking(path: Path, system: Path = Path("/")) -> Iterator[Found]:
    """As `inspect.opened`; or the running medium if that is meant, as far as one may read it."""
    if not is_live(path):
        with opened(path) as found:
            yield found
        return
    running = find_running(system)
    disk = system / "dev" / running.disk
    if os.access(disk, os.R_OK):
        with opened_running(running, system) as found:
            yield found
        return
    message = (
        f"{disk} may not be read: what starts these images, and what is beside them, is not known"
    )
    finding = Finding("in-part", Severity.INFO, message, "run it as root")
    scene = scene_of_directory(running.mount)
    yield replace(scene, path=Path(LIVE), findings=(finding,)), None


def look(path: Path, system: Path = Path("/")) -> Medium:
    """As `inspect.inspect`, also of the running system."""
    with opened_for_looking(path, system) as (scene, source):
        medium = facts_of(scene, source)
    return replace(medium, kind=kind_of(path, scene))


def kind_of(path: Path, scene: Scene) -> MediumKind:
    """What a person named."""
    return MediumKind.LIVE if is_live(path) else scene.kind
