# SPDX-License-Identifier: Apache-2.0
"""A stick that livecd-iso-to-disk made, as a whole: its menus, and the images that they start.

One filesystem holds everything (livecd-tools.md 2.2, 2.6): ``/syslinux`` with the main menu of
SYSLINUX or EXTLINUX, GRUB's in ``/EFI/BOOT``, and a directory for each image; a partition for UEFI
has a copy of ``/EFI``. Several files then say what is started, and a run that is cut off may have
changed some of them. So a directory of ours has a mark while it is neither wholly there nor wholly
gone, made before it and removed last: by that nothing of the owner's is taken for an image's.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.tree import FileKind
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import FolderFile
from liveos.host.volumes import Ext4Volume, FatVolume
from liveos.medium.inspect import images_of, opened
from liveos.medium.loaders import read_boot
from liveos.medium.menus import grub
from liveos.medium.menus.find import MENU_PLACES, parse_menu, read_menu_file
from liveos.medium.menus.text import MOST_TEXT
from liveos.medium.model import Boot, Entry, Firmware, Image, MediumKind
from liveos.medium.overlay.locate import place_in
from liveos.medium.owners_menus import is_syslinux
from liveos.medium.payloads import live_directory
from liveos.medium.running import is_live
from liveos.medium.scene import Scene
from liveos.medium.stick import OpenStick, open_stick, read_stick, require_finished
from liveos.medium.stick_menu import is_our_menu
from liveos.medium.volume import Volume
from liveos.report import Finding, Severity

LOADER_DIRECTORY = "/syslinux"
"""Where the boot loader for BIOS lies, with the kernel of the first image."""

MARKS = "/liveos.unfinished"
"""A directory with one of the name of each image that a run has not ended with."""

_EXT = frozenset({"ext2", "ext3", "ext4"})
_MENU_MODULES = ("vesamenu.c32", "menu.c32")


@dataclass(frozen=True, slots=True)
class MainMenu:
    """A menu file that some loader of the stick reads first.

    ``entries`` are those of the file and of the files that it leads to, ``beside`` the names in its
    directory. Bytes that are no UTF-8 are lone surrogates in ``text`` (PEP 383).
    """

    place: FolderFile
    path: str
    text: str
    entries: tuple[Entry, ...]
    beside: frozenset[str]

    @property
    def is_syslinux(self) -> bool:
        """Whether it is in the language of SYSLINUX; if not, in that of GRUB."""
        return is_syslinux(self.place.name)

    def leads_to(self, name: str) -> bool:
        """Whether an entry starts the image in this directory."""
        return name.casefold() in {each.casefold() for each in _started(self.entries)}


@dataclass(frozen=True, slots=True)
class OldStick:
    """A stick of the old tool, open for reading.

    ``menus`` are all that start an image, those that the loaders for BIOS read first; ``strange``
    are the paths of others, in a language that is not changed. ``entries`` are what the menu of
    UEFI shows, or that of BIOS. ``module`` shows a menu of SYSLINUX.
    """

    path: Path
    scene: Scene
    live: Volume
    menus: tuple[MainMenu, ...]
    strange: tuple[str, ...]
    module: str
    images: tuple[Image, ...]
    boot: Boot
    entries: tuple[Entry, ...]

    @property
    def device(self) -> Path:
        """What is written: all of the stick."""
        return self.path

    @property
    def filesystem(self) -> str:
        """What the kernel calls the filesystem of the images."""
        return self.live.filesystem

    @property
    def live_volume(self) -> Ext4Volume | FatVolume:
        assert self.live.offset is not None
        assert self.live.size is not None
        if self.live.filesystem in _EXT:
            return Ext4Volume(self.path, self.live.offset, self.live.size)
        return FatVolume(self.path, self.live.offset, self.live.size, Ext4Volume.name)

    @property
    def esp_volume(self) -> FatVolume:
        """The partition that UEFI starts from; of no size where there is none of its own."""
        esp = self.scene.esp
        if esp is None or esp.offset is None or esp.size is None:
            return FatVolume(self.path, 0, 0)
        return FatVolume(self.path, esp.offset, esp.size)

    @property
    def names(self) -> tuple[str, ...]:
        """The directories of images that some menu starts, but for those of `leftovers`."""
        started = dict.fromkeys(name for menu in self.menus for name in _started(menu.entries))
        return tuple(name for name in started if not self.is_marked(name))

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Images that a run has not ended with, whether menus start them or not."""
        return tuple(self.live.list_names(MARKS))

    def is_marked(self, name: str) -> bool:
        """Whether a run has not ended with this image."""
        return name.casefold() in {each.casefold() for each in self.leftovers}

    def folder(self, path: str) -> Ext4Folder | FatFolder:
        """A directory, by its path from the root without the first slash."""
        volume, directory = self.live_volume, f"/{path}"
        if isinstance(volume, Ext4Volume):
            return Ext4Folder(volume, directory)
        return FatFolder(volume, directory)

    def mark(self, name: str) -> Ext4Folder | FatFolder:
        """What says that a run has not ended with an image."""
        return self.folder(f"{MARKS.strip('/')}/{name}")

    def image(self, name: str) -> Image | None:
        """The root image in a directory, and what starts it."""
        return next((each for each in self.images if each.name.casefold() == name.casefold()), None)

    def promised(self, name: str) -> str | None:
        """How the menus spell one of `names`."""
        return next((each for each in self.names if each.casefold() == name.casefold()), None)

    def read(self, path: str) -> str | None:
        """The text of a menu file beside the images."""
        return read_menu_file([self.live.tree], path)


AnyStick = OpenStick | OldStick
"""A stick that an image can be added to, of our layout or of the old tool's."""


@contextmanager
def open_any_stick(path: Path) -> Iterator[AnyStick]:
    """The stick at a path, of whichever layout; errors are those of `medium.stick.open_stick`."""
    if is_live(path) or path.is_dir():
        with open_stick(path) as stick:
            yield stick
        return
    with opened(path) as (scene, source):
        yield read_old_stick(scene, source) or read_stick(scene, source, path)


def read_old_stick(scene: Scene, source: ByteSource | None) -> OldStick | None:
    """The stick that is open, if it is one of the old tool's; ``source`` is its bytes.

    :raises RefusedError: its installation has not ended.
    """
    live = _live(scene)
    if live is None:
        return None
    found = [*_menus(scene, live)]
    menus = tuple(menu for menu in found if not _is_strange(menu))
    if not menus or any(is_our_menu(menu.text) for menu in found):
        return None
    require_finished(scene)
    images = images_of(scene).images
    kernels = [kernel for image in images for kernel in image.kernels]
    shown = scene.menu(Firmware.UEFI) or scene.menu(Firmware.BIOS)
    return OldStick(
        path=scene.path,
        scene=scene,
        live=live,
        menus=menus,
        strange=tuple(menu.path for menu in found if _is_strange(menu)),
        module=_module(live),
        images=images,
        boot=read_boot(scene, source, kernels),
        entries=shown.entries if shown is not None else (),
    )


def unfinished_findings(scene: Scene) -> Iterator[Finding]:
    """Images of an old stick that a run has not ended with."""
    live = _live(scene)
    for name in live.list_names(MARKS) if live is not None else ():
        yield Finding(
            "unfinished-image",
            Severity.WARNING,
            f"{name}: a run that added or removed it was cut off, so that some menu may not start"
            " it",
            f"liveos remove {scene.path}:{name} clears it; adding it again ends what was begun",
        )


def _live(scene: Scene) -> Volume | None:
    """The filesystem with ``/syslinux``, without which the old tool adds nothing, either."""
    if scene.kind is not MediumKind.DISK:
        return None
    for volume in scene.data_volumes:
        if volume.filesystem == "vfat" or volume.filesystem in _EXT:
            node = None
            with suppress(FormatError):
                node = volume.tree.resolve(LOADER_DIRECTORY, ignore_case=True)
            if node is not None and node.kind is FileKind.DIRECTORY:
                return volume
    return None


def _menus(scene: Scene, live: Volume) -> Iterator[MainMenu]:
    """Every menu that starts an image, whichever loader reads it."""
    others = [each for each in scene.volumes if each is scene.esp and each is not live]
    for volume in (live, *others):
        seen = set()
        for path in MENU_PLACES:
            menu = _menu(volume, path, live)
            if menu is not None and menu.place not in seen:
                seen.add(menu.place)
                yield menu


def _menu(volume: Volume, path: str, live: Volume) -> MainMenu | None:
    node = volume.find_file(path)
    if node is None or node.size > MOST_TEXT:
        return None
    try:
        text = volume.tree.open(node).read_at(0, node.size).decode("utf-8", "surrogateescape")
    except FormatError:
        return None
    firmware = Firmware.BIOS if is_syslinux(path.rpartition("/")[2]) else Firmware.UEFI
    trees = [volume.tree, live.tree]
    menu = parse_menu(text, path, firmware, lambda other: read_menu_file(trees, other))
    if not _started(menu.entries):
        return None
    beside = frozenset(volume.list_names(node.path.rpartition("/")[0]))
    return MainMenu(place_in(volume, node.path), node.path, text, menu.entries, beside)


def _is_strange(menu: MainMenu) -> bool:
    """A menu of the first GRUB, which has another language."""
    if menu.is_syslinux:
        return False
    parsed = grub.parse(menu.text, menu.path, firmware=Firmware.UEFI)
    return not _started(parsed.entries)


def _started(entries: tuple[Entry, ...]) -> tuple[str, ...]:
    """The directories of images that these entries start."""
    live = (entry for entry in entries if entry.kernel and _is_live(entry))
    return tuple(dict.fromkeys(live_directory(entry) for entry in live))


def _is_live(entry: Entry) -> bool:
    return (entry.live_source or "").startswith("live:")


def _module(live: Volume) -> str:
    names = {name.casefold() for name in live.list_names(LOADER_DIRECTORY)}
    return next((each for each in _MENU_MODULES if each in names), _MENU_MODULES[0])
