# SPDX-License-Identifier: Apache-2.0
"""``inspect``: bytes to facts. Reads what is needed, changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from liveos.errors import NotPermittedError, UnsupportedError, UsageError
from liveos.formats.binary import ByteSource, FileSource, FormatError
from liveos.formats.iso9660 import isomd5
from liveos.medium.images import Found, find_images
from liveos.medium.loaders import read_boot
from liveos.medium.model import Family, Image, ImplantedMd5, Medium, MediumKind
from liveos.medium.open_scene import scene_of_directory, scene_of_file
from liveos.medium.persistence import persistence_of
from liveos.medium.root import root_of, whole_file
from liveos.medium.scene import Scene
from liveos.medium.unread import unread_images
from liveos.medium.warnings import find_warnings
from liveos.report import Finding, Severity

_HINT = "liveos reads ISOs, disk images, squashfs, EROFS, ext4 and FAT images, and directories"


def inspect(path: Path) -> Medium:
    """Everything that can be known of an ISO, image file, stick, device or directory.

    :raises UnsupportedError: it is nothing that liveos knows, or too damaged to be read.
    :raises NotPermittedError: the operating system does not let us read it.
    :raises UsageError: there is no such file.
    """
    with opened(path) as (scene, source):
        return facts_of(scene, source)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Scene, ByteSource | None]]:
    """What a path holds, open to be looked into, and its bytes where it is no directory.

    Errors are those of `inspect`, also for what fails while it is looked into.
    """
    try:
        if path.is_dir():
            yield scene_of_directory(path), None
            return
        if not (path.is_file() or path.is_block_device()) and path.exists():
            raise UnsupportedError(f"{path} is neither a file nor a block device", hint=_HINT)
        with FileSource(path) as source:
            yield scene_of_file(path, source), source
    except FormatError as error:
        raise UnsupportedError(f"{path}: {error}", hint=_HINT) from error
    except PermissionError as error:
        hint = "run it as a user who may read this, for a device as root"
        raise NotPermittedError(f"{path} may not be read", hint=hint) from error
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file", hint="check the path") from error
    except OSError as error:
        raise UnsupportedError(f"{path}: {error.strerror}", hint=_HINT) from error


def facts_of(scene: Scene, source: ByteSource | None) -> Medium:
    """The facts of a medium that is open; ``source`` is its bytes, None for a directory."""
    found = images_of(scene)
    images = found.images
    medium = Medium(
        path=scene.path,
        kind=scene.kind,
        label=scene.label,
        size=scene.size,
        images=images,
        boot=read_boot(scene, source, [k for image in images for k in image.kernels]),
        partitions=scene.partitions,
        implanted_md5=_implanted_md5(scene, source),
    )
    warnings = (*scene.findings, *found.findings, *find_warnings(medium))
    return replace(medium, warnings=tuple(dict.fromkeys(warnings)))


def images_of(scene: Scene) -> Found:
    """The images of a medium; a filesystem that is itself a root counts as one."""
    found = find_images(scene)
    names = frozenset(image.name for image in found.images)
    unread = tuple(unread_images(scene, names))
    if not found.images and not unread:
        return Found(_bare_image(scene), found.findings)
    return Found((*found.images, *unread), (*found.findings, *map(_unread_finding, unread)))


def _unread_finding(image: Image) -> Finding:
    message = (
        f"{image.name}: its filesystem is not read here, so what is said of it is what was noted"
        " when it was installed"
    )
    return Finding("unread-filesystem", Severity.INFO, message)


def _bare_image(scene: Scene) -> tuple[Image, ...]:
    """A filesystem that is itself a root, or that holds one as a container does."""
    if scene.kind in {MediumKind.ISO, MediumKind.DISK} or scene.size is None:
        return ()
    (volume,) = scene.volumes
    root = root_of(volume, whole_file(scene.path, scene.size))
    if root.nested is None and not {"usr", "proc"} & set(volume.list_names("/")):
        return ()
    persistence = persistence_of(root, None, Family.UNKNOWN)
    return (Image(scene.path.name, Family.UNKNOWN, root, persistence=persistence),)


def _implanted_md5(scene: Scene, source: ByteSource | None) -> ImplantedMd5 | None:
    if scene.kind is not MediumKind.ISO or source is None:
        return None
    implanted = isomd5.read(source)
    return None if implanted is None else ImplantedMd5(implanted.md5, implanted.supported)
