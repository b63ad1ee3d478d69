# SPDX-License-Identifier: Apache-2.0
"""What a LiveOS medium is, as frozen facts. Absent facts are None, never guessed.

Sizes are bytes. Paths inside a medium are absolute POSIX paths with the spelling found there.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from liveos.formats.binary import Extent
from liveos.report import Finding


class MediumKind(StrEnum):
    """What kind of thing was looked at."""

    ISO = "iso"
    DISK = "disk"
    FILESYSTEM = "filesystem"
    SQUASHFS = "squashfs"
    EROFS = "erofs"
    DIRECTORY = "directory"
    LIVE = "live"


class Container(StrEnum):
    """The compressed, read-only filesystem around the root, if any."""

    SQUASHFS = "squashfs"
    EROFS = "erofs"
    NONE = "none"


class PersistenceKind(StrEnum):
    """How changes to the root can be kept, in the order of preference.

    ``DIRECT`` is no overlay: an uncompressed root that is itself written to.
    """

    SNAPSHOT = "snapshot"
    DIRECTORY = "directory"
    IMAGE = "image"
    DIRECT = "direct"


class Firmware(StrEnum):
    """Which firmware reads a boot menu."""

    BIOS = "bios"
    UEFI = "uefi"


class Family(StrEnum):
    """Which initramfs live scheme an image belongs to (images.md section 6, step 3)."""

    DMSQUASH = "dmsquash-live"
    MKINITRD = "mkinitrd-live"
    KIWI = "kiwi-live"
    LIVE_BOOT = "live-boot"
    INSTALLER = "installer"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file on a medium, as bytes of a container that can be read without mounting anything.

    ``container`` is a file or device of the host. ``extents`` are its pieces in order, in bytes
    of the container; None when they are not known (the file is listed but cannot be streamed).
    """

    path: str
    size: int
    container: Path
    extents: tuple[Extent, ...] | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """The root filesystem and what it is packed in, outermost first."""

    file: FileRef | None
    container: Container
    compression: str | None
    nested: str | None
    filesystem: str | None
    label: str | None
    uuid: str | None
    apparent_size: int | None
    used_size: int | None
    stored_size: int

    @property
    def is_flat(self) -> bool:
        """The container holds /usr directly, so only OverlayFS can give it memory."""
        return self.container is not Container.NONE and self.nested is None


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that a boot entry of the medium can start; ``issuers`` vouch for its signers."""

    file: FileRef
    version: str | None
    signers: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Initramfs:
    """An initial RAM filesystem: which dracut made it and what it can do."""

    file: FileRef
    dracut: str | None
    modules: tuple[str, ...]
    kernel: str | None
    systemd: bool | None = None


_MEDIA_CHECKS = frozenset({"rd.live.check", "check", "mediacheck"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One bootable item of a boot menu.

    ``menu`` is the file that holds it, ``submenu`` the titles of the menus around it. ``kernel``
    and ``initrd`` are paths on the medium; a hypervisor's own file and words stand apart.
    ``options`` are the words for the kernel in order, without quotes around them and without
    ``initrd=``; a word may hold blanks. Variables of the menu stay in them as written;
    ``variables`` has those whose value the menu tells. ``command`` is the verb of the menu that
    starts it: ``linux``, ``linuxefi``, ``kernel``, or, for what is no Linux, ``chainloader``,
    ``localboot`` and the like, whose words are then the options.
    """

    title: str
    firmware: Firmware
    menu: str
    label: str | None
    kernel: str | None
    initrd: tuple[str, ...]
    options: tuple[str, ...]
    command: str = "linux"
    default: bool = False
    submenu: tuple[str, ...] = ()
    hypervisor: str | None = None
    hypervisor_options: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def live_source(self) -> str | None:
        """The value of ``root=`` if this entry names one."""
        return self.option("root")

    @property
    def checks_media(self) -> bool:
        """The entry verifies the medium before it starts (images.md rule 5)."""
        return any(word.partition("=")[0] in _MEDIA_CHECKS for word in self.options)

    def option(self, name: str) -> str | None:
        """The value of the last word ``name=value``; None when there is none."""
        values = [word for word in self.options if word.startswith(f"{name}=")]
        return values[-1].partition("=")[2] if values else None


@dataclass(frozen=True, slots=True)
class Menu:
    """A boot menu as one firmware sees it, with everything that it includes.

    ``timeout`` is in seconds. ``missing`` are menu files that it names and that were not found.
    """

    path: str
    firmware: Firmware
    entries: tuple[Entry, ...]
    timeout: float | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PersistenceOption:
    """A kind of memory, and whether this image can have it; ``reason`` says why not."""

    kind: PersistenceKind
    usable: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Overlay:
    """The persistent overlay of an installed image."""

    kind: PersistenceKind
    path: str
    size: int | None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """What holds a home filesystem or swap space: a file beside the image, or a partition.

    ``filesystem``, ``label`` and ``uuid`` are those of its content, in the spelling of blkid, of
    an encrypted one those of the encryption. ``partition`` is its number; None for a file.
    """

    path: str
    size: int
    encrypted: bool | None = None
    filesystem: str | None = None
    label: str | None = None
    uuid: str | None = None
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """One LiveOS image on a medium: a directory with a root, and what boots it."""

    name: str
    family: Family
    root: Root
    kernels: tuple[Kernel, ...] = ()
    initramfs: tuple[Initramfs, ...] = ()
    entries: tuple[Entry, ...] = ()
    persistence: tuple[PersistenceOption, ...] = ()
    overlay: Overlay | None = None
    home: Store | None = None
    swap: Store | None = None


@dataclass(frozen=True, slots=True)
class Loader:
    """A boot loader file: a PE image on the EFI side, or a BIOS boot sector or core image.

    ``issuers`` are the authorities that vouch for ``signers``.
    """

    path: str
    firmware: Firmware
    arch: str | None
    role: str
    signers: tuple[str, ...] = ()
    sbat: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    file: FileRef | None = None
    issuers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Boot:
    """How firmware can start the medium."""

    bios: bool
    uefi: tuple[str, ...]
    secure_boot: bool
    loaders: tuple[Loader, ...] = ()


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition, by byte range."""

    number: int
    name: str | None
    type: str
    offset: int
    size: int
    filesystem: str | None = None
    label: str | None = None
    uuid: str | None = None


@dataclass(frozen=True, slots=True)
class ImplantedMd5:
    """The checksum that implantisomd5 wrote into the volume descriptor (images.md 1.9)."""

    md5: str
    supported: bool


@dataclass(frozen=True, slots=True)
class Medium:
    """Everything that ``inspect`` knows of a source."""

    path: Path
    kind: MediumKind
    label: str | None
    size: int | None
    images: tuple[Image, ...] = ()
    boot: Boot = field(default_factory=lambda: Boot(bios=False, uefi=(), secure_boot=False))
    partitions: tuple[Partition, ...] = ()
    implanted_md5: ImplantedMd5 | None = None
    warnings: tuple[Finding, ...] = ()
