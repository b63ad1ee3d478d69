# SPDX-License-Identifier: Apache-2.0
"""A stick that liveos made, as a whole: its partitions, its menu, and the images in both.

The menu on the ESP has one line for each image (``operations.menus.text``); what it names is
promised, and everything else below ``/liveos`` is what a run that was cut off has left. Each
directory of an image on LIVE has one of the same name there, made before it and removed after it:
so nothing of the owner's is taken for an image's.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from liveos.errors import RefusedError, UnsupportedError, UsageError
from liveos.formats.binary import ByteSource
from liveos.formats.tree import Node
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import HostFolder
from liveos.host.volumes import Ext4Volume, FatVolume, MountedVolume
from liveos.medium.inspect import images_of, opened
from liveos.medium.loaders import read_boot
from liveos.medium.model import Boot, Entry, Firmware, Image, MediumKind, Partition
from liveos.medium.mounted import MountedPartition, opened_with_esp
from liveos.medium.mounted_stick import behind_esp, require_live, run_from, stick_at
from liveos.medium.overlay.locate import parse_spec
from liveos.medium.running import Running
from liveos.medium.scene import UNREAD_LIVE, Scene
from liveos.medium.stick_menu import (
    NO_STICK_HINT,
    SYSLINUX_MENU,
    StickMenu,
    menu_of,
    read_menu,
    require_menu,
)
from liveos.medium.volume import Volume
from liveos.report import Finding, Severity

_BOOT_FILES = "/liveos"
_FAT = "vfat"
_UNMOUNTED = frozenset({"ext4", _FAT})


@dataclass(frozen=True, slots=True)
class OpenStick:
    """A stick of ours, open for reading.

    ``menu`` is GRUB's, which promises what it names; ``syslinux`` is there where BIOS has another
    one, which says the same. ``images`` are all root images that were found, promised or not.
    ``entries`` are what the menu shows, those of all images, in its order. ``mounted`` is there
    when LIVE is read and written through its mount; ``running`` when, besides, this system runs
    from it.
    """

    path: Path
    scene: Scene
    esp: Volume
    live: Volume
    menu: StickMenu
    syslinux: StickMenu | None
    images: tuple[Image, ...]
    boot: Boot
    entries: tuple[Entry, ...]
    mounted: MountedPartition | None = None
    running: Running | None = None

    @property
    def filesystem(self) -> str:
        """What the kernel calls the filesystem of LIVE."""
        return self.live.filesystem if self.mounted is None else self.mounted.filesystem

    @property
    def notes_on_esp(self) -> bool:
        """Whether records lie on the ESP, too: nobody reads LIVE without mounting it."""
        return self.filesystem in UNREAD_LIVE

    @property
    def device(self) -> Path:
        """What is written beside a mounted LIVE: all of the stick, or its ESP's own device."""
        return self.esp.container

    @property
    def esp_volume(self) -> FatVolume:
        assert self.esp.offset is not None
        assert self.esp.size is not None
        return FatVolume(self.device, self.esp.offset, self.esp.size)

    @property
    def live_volume(self) -> Ext4Volume | FatVolume | MountedVolume:
        assert self.live.offset is not None
        if self.mounted is not None:
            return MountedVolume(self.mounted.mount, _mounted_size(self.mounted.mount))
        assert self.live.size is not None
        if self.live.filesystem == _FAT:
            return FatVolume(self.path, self.live.offset, self.live.size, Ext4Volume.name)
        return Ext4Volume(self.path, self.live.offset, self.live.size)

    @property
    def names(self) -> tuple[str, ...]:
        """What the menu promises, in its order."""
        return self.menu.names

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Names that the menu does not promise, of which something is there."""
        return _leftovers(self.esp, self.menu.names)

    def boot_folder(self, name: str) -> FatFolder:
        """Where an image has its boot files."""
        return FatFolder(self.esp_volume, f"{_BOOT_FILES}/{name}")

    def folder(self, name: str) -> Ext4Folder | FatFolder | HostFolder:
        """An image's directory; with no name, the top of LIVE."""
        match self.live_volume:
            case MountedVolume() as volume:
                return HostFolder(volume.at(name))
            case Ext4Volume() as volume:
                return Ext4Folder(volume, f"/{name}")
            case FatVolume() as volume:
                return FatFolder(volume, f"/{name}")

    def boot_files(self, name: str) -> tuple[Node, ...]:
        """The files in the directory of an image on the ESP."""
        directory = f"{_BOOT_FILES}/{name}"
        found = (
            self.esp.find_file(f"{directory}/{each}") for each in self.esp.list_names(directory)
        )
        return tuple(node for node in found if node is not None)

    def on_live(self, name: str) -> Node | None:
        """What has this name at the top of LIVE, of whatever kind."""
        return self.live.tree.lookup(f"/{name}")

    def image(self, name: str) -> Image | None:
        """The root image in a directory, and what starts it."""
        return next((each for each in self.images if each.name.casefold() == name.casefold()), None)

    def promised(self, name: str) -> str | None:
        """How the menu spells the name of an image that it has."""
        return next((each for each in self.menu.names if each.casefold() == name.casefold()), None)


@contextmanager
def open_stick(path: Path, system: Path = Path("/")) -> Iterator[OpenStick]:
    """The stick at a path: an image file or a device; or a directory where its LIVE is mounted.

    ``live`` is that of the running system. ``system`` stands in for / in tests.

    :raises UnsupportedError: it is none that liveos made, or it cannot be read, or a loader starts
        it that knows a single image.
    :raises RefusedError: its installation has not ended.
    """
    mounted = stick_at(path, system)
    if mounted is None:
        with opened(path) as (scene, source):
            yield read_stick(scene, source, path)
        return
    with opened_with_esp(mounted) as (found, source):
        scene = replace(found, path=path)
        require_live(scene, mounted)
        stick = read_stick(scene, source, path)
        yield replace(stick, mounted=mounted, running=run_from(mounted, system))


def read_stick(scene: Scene, source: ByteSource | None, path: Path) -> OpenStick:
    """The same of what is open already; ``source`` is its bytes."""
    require_finished(scene)
    esp, live = _volumes(scene)
    menu_of_stick = menu_of(scene, esp)
    require_menu(scene, esp)
    images = images_of(scene).images
    kernels = [kernel for image in images for kernel in image.kernels]
    menu = scene.menu(Firmware.UEFI) or scene.menu(Firmware.BIOS)
    return OpenStick(
        path=path,
        scene=scene,
        esp=esp,
        live=live,
        menu=menu_of_stick,
        syslinux=read_menu(scene, esp, SYSLINUX_MENU),
        images=images,
        boot=read_boot(scene, source, kernels),
        entries=menu.entries if menu is not None else (),
    )


def require_finished(scene: Scene) -> None:
    """:raises RefusedError: the installation of the stick has not ended."""
    unfinished = (each for each in scene.findings if each.severity is Severity.FATAL)
    for finding in unfinished:
        raise RefusedError(finding.message, hint=finding.repair)


def _mounted_size(mount: Path) -> int:
    space = os.statvfs(mount)
    return space.f_blocks * space.f_frsize


def parse_image(spec: str) -> tuple[Path, str | None]:
    """``STICK:NAME`` as a path and a name; the name is None where only a stick is named."""
    path, name = parse_spec(spec)
    return path, name.strip("/") if name else None


class Promises(Protocol):
    """A stick whose menus start images: of our layout, or of another."""

    @property
    def path(self) -> Path:
        """Its file or device."""

    @property
    def names(self) -> tuple[str, ...]:
        """The images that it starts."""

    def promised(self, name: str) -> str | None:
        """How the menus spell the name of an image."""


def require_image(stick: Promises, name: str | None) -> str:
    """The image of this name, or the only one, as the menu spells it.

    :raises UsageError: the menu has no such image, or several and none is named.
    """
    names = stick.names
    if name is None and len(names) == 1:
        return names[0]
    found = None if name is None else stick.promised(name)
    if found is None:
        what = f"{len(names)} images" if name is None else f"no image {name}"
        known = ", ".join(names) or "none"
        raise UsageError(
            f"{stick.path} has {what} in its menu; there are: {known}",
            hint=f"name one: {stick.path}:NAME",
        )
    return found


def leftover_findings(scene: Scene) -> Iterator[Finding]:
    """Images that the menu of a stick of ours does not promise: a run was cut off."""
    try:
        esp, _ = _volumes(scene)
        names = menu_of(scene, esp).names
    except UnsupportedError:
        return
    for name in _leftovers(esp, names):
        yield Finding(
            "unfinished-image",
            Severity.WARNING,
            f"{name}: no menu starts it; a run that added, renamed or removed it was cut off",
            f"liveos remove {scene.path}:{name} clears what is left",
        )


def _leftovers(esp: Volume, promised: tuple[str, ...]) -> tuple[str, ...]:
    known = {name.casefold() for name in promised}
    return tuple(name for name in esp.list_names(_BOOT_FILES) if name.casefold() not in known)


def _volumes(scene: Scene) -> tuple[Volume, Volume]:
    """The ESP, and the filesystem that holds the images."""
    others = [each for each in scene.data_volumes if each is not scene.esp]
    closed = None if scene.mounted is not None else behind_esp(scene)
    if scene.esp is not None and closed is not None and closed.filesystem in UNREAD_LIVE:
        menu_of(scene, scene.esp)
        require_menu(scene, scene.esp)
        raise _must_be_mounted(scene.path, closed)
    if _is_single(scene):
        raise UnsupportedError(
            f"{scene.path} has one partition for everything: such a stick has one image, as it was"
            " installed",
            hint="install it anew without --layout single, for several images and newer ones",
        )
    if scene.kind is not MediumKind.DISK or scene.esp is None or not others:
        raise UnsupportedError(f"{scene.path} is no stick that liveos made", hint=NO_STICK_HINT)
    if scene.mounted is None and others[0].filesystem not in _UNMOUNTED:
        raise UnsupportedError(
            f"{scene.path}: images lie on {others[0].filesystem}, and liveos adds, removes and"
            " changes whole ones on ext4 and FAT32, and on mounted Btrfs, XFS and F2FS",
            hint=NO_STICK_HINT,
        )
    return scene.esp, others[0]


def _is_single(scene: Scene) -> bool:
    if scene.kind is not MediumKind.DISK or scene.esp is not None or len(scene.volumes) != 1:
        return False
    with suppress(UnsupportedError):
        return menu_of(scene, scene.volumes[0]).is_ours
    return False


def _must_be_mounted(path: Path, part: Partition) -> UnsupportedError:
    return UnsupportedError(
        f"{path}: its images lie on {part.filesystem}, in partition {part.number}; nobody"
        " writes that without mounting it",
        hint=f"mount partition {part.number} (of a file: losetup --partscan, then mount), and name"
        " the directory instead",
    )
