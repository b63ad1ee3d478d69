# SPDX-License-Identifier: Apache-2.0
"""What is wished of a new stick, and what has been decided about it."""

from dataclasses import dataclass, field

from liveos.host.target import Target
from liveos.host.volumes import FatVolume, Volume
from liveos.medium.home.mounting import Mounting
from liveos.medium.home.updates import UpdateFile
from liveos.medium.home.user import HomeUser
from liveos.medium.installed import Installed
from liveos.medium.model import Medium, PersistenceKind
from liveos.operations.carry.facts import Carried
from liveos.operations.install.bootloaders import Bootloader, EfiStub, Grub
from liveos.operations.install.data import DataRequest
from liveos.operations.install.filesystems import Ext4, LiveFilesystem
from liveos.operations.install.filesystems import Target as LivePlace
from liveos.operations.install.layout import Identities, Layout, Table
from liveos.operations.install.payload import Payload, menu_entries
from liveos.operations.install.sizes import AUTO, Wish
from liveos.operations.menus.text import MenuEntry


@dataclass(frozen=True, slots=True)
class HomeRequest:
    """A home of its own: a file beside the image, or a ``partition``."""

    size: Wish = AUTO
    encrypted: bool = True
    partition: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRequest:
    """What is wished. ``size`` makes a new file; without it the target keeps its own.

    ``overlay`` None means that changes are not kept; ``overlay_kind`` None lets the image decide.
    With ``readonly`` the overlay is used, but not written to unless the menu is told so.
    ``temporary`` is the size, in bytes, of the store in memory where changes are not kept.
    ``uncompressed`` unpacks the root. ``label`` is that of the LIVE partition, ``name`` the image's
    directory there. ``timeout`` is how many seconds the boot menu waits. ``filesystem`` is that of
    LIVE; a ``single`` partition is ESP and LIVE in one. ``bootloader`` is what starts it;
    ``data`` a partition for the owner's files.

    ``serials`` are those of devices that may be overwritten; with none, any may. ``allow_fixed``
    is for disks that cannot be pulled out; with ``eject`` those that can are let go at the end.
    """

    identities: Identities = field(default_factory=Identities.random)
    size: int | None = None
    erase: bool = False
    overlay: Wish = AUTO
    overlay_kind: PersistenceKind | None = None
    readonly: bool = False
    temporary: int | None = None
    uncompressed: bool = False
    home: HomeRequest | None = None
    swap: Wish = None
    label: str | None = None
    name: str = "LiveOS"
    kernel_arguments: tuple[str, ...] = ()
    bios: bool = True
    table: Table = Table.GPT
    filesystem: LiveFilesystem = field(default_factory=Ext4)
    single: bool = False
    bootloader: Bootloader = field(default_factory=Grub)
    data: DataRequest | None = None
    verify: bool = True
    timeout: int = 5
    serials: tuple[str, ...] = ()
    allow_fixed: bool = False
    eject: bool = True

    @property
    def starts_without_menu(self) -> bool:
        """UEFI starts the kernel by itself."""
        return isinstance(self.bootloader, EfiStub)

    @property
    def looks_into_root(self) -> bool:
        """Whether a plan needs to know what the root of the image holds."""
        labelled = self.overlay is not None and self.filesystem.copies > 0
        return self.home is not None or self.swap is not None or labelled


@dataclass(frozen=True, slots=True)
class UsedAtBoot:
    """How the running system comes to use home and swap; None for what is not wished.

    A new home gets the directory of ``user``, if nobody else would make it. ``targeted`` means
    that files need the labels of SELinux's targeted policy.
    """

    home: Mounting | None = None
    swap: Mounting | None = None
    user: HomeUser | None = None
    targeted: bool = True

    @property
    def words(self) -> tuple[str, ...]:
        """What the kernel line needs for both."""
        found = (mounting.words for mounting in (self.home, self.swap) if mounting)
        return tuple(word for words in found for word in words)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is done like that, for people."""
        named = (("home", self.home), ("swap", self.swap))
        return tuple(f"{name}: {mounting.reason}" for name, mounting in named if mounting)

    @property
    def updates(self) -> tuple[UpdateFile, ...]:
        """What the directory ``updates`` of the stick needs for both."""
        found = (mounting.updates for mounting in (self.home, self.swap) if mounting)
        return tuple(dict.fromkeys(file for updates in found for file in updates))


@dataclass(frozen=True, slots=True)
class Rooms:
    """Where the partitions lie, and the bytes of each piece of memory; None for what is no file.

    The home's bytes are those of its partition, if it has one.
    """

    layout: Layout
    overlay: int | None = None
    home: int | None = None
    swap: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stick:
    """Everything that has been decided, for the functions that write down the steps."""

    request: InstallRequest
    source: Medium
    target: Target
    payload: Payload
    rooms: Rooms
    esp: FatVolume
    live: Volume
    installed: Installed
    at_boot: UsedAtBoot
    place: LivePlace
    carried: Carried | None = None

    @property
    def layout(self) -> Layout:
        return self.rooms.layout

    @property
    def directory(self) -> str:
        return f"/{self.request.name}"

    @property
    def esp_uuid(self) -> str:
        """By what GRUB finds the partition with the menus."""
        return self.installed.uuid if self.layout.is_single else self.request.identities.esp_uuid

    @property
    def entries(self) -> tuple[MenuEntry, ...]:
        """The boot menu of the image."""
        return menu_entries(self.payload, self.installed, self.request.kernel_arguments)

    @property
    def checks_source(self) -> bool:
        """The source has a sum, and it is wished that it be compared."""
        return self.request.verify and self.source.implanted_md5 is not None

    @property
    def makes_file(self) -> bool:
        """A new file is made and renamed, or copied; else the target is written in place."""
        return self.request.size is not None or self.target.draft is not None
