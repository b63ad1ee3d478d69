# SPDX-License-Identifier: Apache-2.0
"""What of a source goes onto a stick: the root, one kernel with its initramfs, EFI loaders."""

import re
from dataclasses import dataclass, replace

from liveos.errors import UnsupportedError, UsageError
from liveos.medium.bootline import boot_options, entry_options
from liveos.medium.installed import UNCOMPRESSED_IMAGE, Installed
from liveos.medium.model import (
    Container,
    Entry,
    FileRef,
    Firmware,
    Image,
    Initramfs,
    Kernel,
    Loader,
    Medium,
    PersistenceKind,
)
from liveos.operations.menus.text import MenuEntry, image_directory
from liveos.report import Severity

LOADER_DIRECTORY = "/EFI/BOOT"
_LARGEST_ON_FAT = 2**32 - 1
_LINUX_VERBS = frozenset({"linux", "linuxefi", "linux16", "kernel"})
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Payload:
    """An image and the files of it that are copied, each with its path on the stick.

    With ``unpacked`` the root is not copied as it is: what is nested in it goes to the stick.
    """

    image: Image
    root: FileRef
    root_name: str
    unpacked: bool
    main: Entry
    basic: Entry | None
    kernel: Kernel
    initramfs: Initramfs | None
    boot_files: tuple[tuple[FileRef, str], ...]
    loaders: tuple[tuple[FileRef, str], ...]
    efi_verb: str

    @property
    def root_size(self) -> int:
        """What the root takes on the stick, in bytes."""
        whole = self.image.root.apparent_size
        return whole if self.unpacked and whole is not None else self.root.size

    @property
    def kernel_version(self) -> str | None:
        """What the kernel says of itself, or what its initramfs was made for."""
        made_for = self.initramfs.kernel if self.initramfs else None
        return self.kernel.version or made_for

    @property
    def start_size(self) -> int:
        """Bytes of the kernel and its initramfs."""
        return sum(file.size for file, _ in self.boot_files)

    @property
    def boot_size(self) -> int:
        """What the ESP must hold, in bytes."""
        return sum(file.size for file, _ in (*self.boot_files, *self.loaders))


def choose_image(source: Medium) -> Image:
    """The only image of a source.

    :raises UnsupportedError: there is none, or the source is not whole.
    :raises UsageError: there are several.
    """
    for finding in source.warnings:
        if finding.severity is Severity.FATAL:
            message = f"{source.path} cannot be installed: {finding.message}"
            raise UnsupportedError(message, hint=finding.repair)
    if not source.images:
        raise UnsupportedError(
            f"{source.path} holds no LiveOS image",
            hint=f"liveos inspect {source.path} shows what it holds",
        )
    if len(source.images) > 1:
        names = ", ".join(image.name for image in source.images)
        raise UsageError(
            f"{source.path} holds several images ({names})", hint="name a source with one"
        )
    return source.images[0]


def payload_of(source: Medium, image: Image, name: str, *, uncompressed: bool = False) -> Payload:
    """What is copied from ``image``; ``name`` is its directory on the stick.

    ``uncompressed`` unpacks its root, if that is packed at all.

    :raises UnsupportedError: something without which it cannot start is not there.
    """
    if uncompressed:
        _require_filesystem(image)
    main, basic = _entries(image)
    kernel = _kernel(image, main)
    files = _initramfs_files(image, main)
    directory = image_directory(name)
    boot_files = tuple(
        (_streamable(file), f"{directory}/{_fat_name(file)}") for file in (kernel.file, *files)
    )
    loaders = _loaders(source.boot.loaders)
    unpacked = uncompressed and image.root.container is not Container.NONE
    return Payload(
        image=image,
        root=_streamable(image.root.file),
        root_name=UNCOMPRESSED_IMAGE if unpacked else _root_name(image),
        unpacked=unpacked,
        main=main,
        basic=basic,
        kernel=kernel,
        initramfs=next((item for item in image.initramfs if item.file in files), None),
        boot_files=boot_files,
        loaders=tuple((file, f"{LOADER_DIRECTORY}/{name}") for name, file in loaders.items()),
        efi_verb=_efi_verb(image),
    )


def menu_entries(
    payload: Payload, installed: Installed, extra: tuple[str, ...]
) -> tuple[MenuEntry, ...]:
    """Start; start without memory, if there is one; with basic graphics, if the source can; anew.

    Without memory means without the home, too. Where the overlay is used read-only, the second
    entry writes to it. The one that empties the overlay stands last, where nobody comes to by a
    key too many.
    """
    kernel, *initrds = (path for _, path in payload.boot_files)

    def entry(title: str, source: Entry, how: Installed, *, reset: bool = False) -> MenuEntry:
        options = boot_options(entry_options(source), how, extra, reset=reset)
        return MenuEntry(title, kernel, tuple(initrds), options)

    title, kept = entry_title(payload.main), replace(installed, readonly=False)
    entries = [entry(title, payload.main, installed)]
    if installed.readonly:
        entries.append(entry(f"{title} (changes are kept)", payload.main, kept))
    if installed.overlay is not None:
        forgets = f"{title} (changes are not kept)"
        entries.append(entry(forgets, payload.main, installed.forgetful))
    if payload.basic is not None:
        entries.append(entry(entry_title(payload.basic), payload.basic, installed))
    if installed.overlay not in {None, PersistenceKind.DIRECT}:
        erase = f"Erase all changes, then: {title}"
        entries.append(entry(erase, payload.main, kept, reset=True))
    return tuple(entries)


def _require_filesystem(image: Image) -> None:
    root = image.root
    if root.is_flat or root.apparent_size is None:
        raise UnsupportedError(
            f"{image.name} cannot be unpacked: the {root.container} image holds the root directly,"
            " so there is no filesystem in it that could lie on the stick by itself",
            hint="leave out --uncompressed",
        )


def _entries(image: Image) -> tuple[Entry, Entry | None]:
    """The entry that starts the live system as usual, and the one with basic graphics."""
    live = [
        entry
        for entry in image.entries
        if entry.kernel and entry.command in _LINUX_VERBS and entry.hypervisor is None
    ]
    if not live:
        raise UnsupportedError(f"{image.name}: no boot entry starts this image")
    # The EFI menu first: where the two differ it is the newer one (images.md 2.1).
    live.sort(key=lambda entry: (entry.firmware is not Firmware.UEFI, entry.checks_media))
    plain = [entry for entry in live if not _is_basic(entry)]
    basic = [entry for entry in live if _is_basic(entry)]
    return (plain or live)[0], (basic[0] if basic and plain else None)


def _is_basic(entry: Entry) -> bool:
    return "nomodeset" in entry.options or "basic graphics" in entry.title.lower()


def entry_title(entry: Entry) -> str:
    """Without the promise of a media check, which a stick does not keep."""
    return re.sub(r"^Test this media (?:& |and )?", "", entry.title, flags=re.IGNORECASE).strip()


def _kernel(image: Image, entry: Entry) -> Kernel:
    for kernel in image.kernels:
        if kernel.file.path == entry.kernel:
            return kernel
    if image.kernels:
        return image.kernels[0]
    raise UnsupportedError(f"{image.name}: no kernel was found")


def _initramfs_files(image: Image, entry: Entry) -> tuple[FileRef, ...]:
    known = {item.file.path: item.file for item in image.initramfs}
    named = tuple(known[path] for path in entry.initrd if path in known)
    if named or not image.initramfs:
        return named
    return (image.initramfs[0].file,)


def _efi_verb(image: Image) -> str:
    """The verb of the image's own EFI menu; its GRUB surely has it (images.md 2.5)."""
    verbs = [entry.command for entry in image.entries if entry.firmware is Firmware.UEFI]
    return "linuxefi" if "linuxefi" in verbs else "linux"


def _root_name(image: Image) -> str:
    """The names that every dracut looks for."""
    file = _streamable(image.root.file)
    name = file.path.rpartition("/")[2]
    if image.root.container is not Container.NONE:
        return "squashfs.img"
    return name if name == "ext3fs.img" else "rootfs.img"


def _loaders(loaders: tuple[Loader, ...]) -> dict[str, FileRef]:
    """Loaders by their name in upper case, one for each, without shim's fallback.

    Started from a removable device, the fallback makes firmware entries and restarts for ever
    (images.md 2.4).
    """
    chosen: dict[str, FileRef] = {}
    for loader in loaders:
        directory, _, name = loader.path.upper().rpartition("/")
        if loader.firmware is not Firmware.UEFI or not directory.endswith(LOADER_DIRECTORY):
            continue
        if loader.file is None or loader.file.extents is None or _UNSAFE.search(name):
            continue
        if name.endswith(".EFI") and not name.startswith("FB"):
            chosen.setdefault(name, loader.file)
    # What the firmware starts comes last: without it the others do nothing.
    return dict(sorted(chosen.items(), key=lambda item: item[0].startswith("BOOT")))


def _streamable(file: FileRef | None) -> FileRef:
    if file is None or file.extents is None:
        what = "the root image" if file is None else file.path
        raise UnsupportedError(f"{what} cannot be read from this source without mounting it")
    return file


def _fat_name(file: FileRef) -> str:
    if file.size > _LARGEST_ON_FAT:
        raise UnsupportedError(f"{file.path} is too large for FAT: {file.size} bytes")
    return _UNSAFE.sub("-", file.path.rpartition("/")[2]).strip("-.") or "file"
