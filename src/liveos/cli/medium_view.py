# SPDX-License-Identifier: Apache-2.0
"""A medium for people: its layers with their three sizes, what boots it, what it can remember."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from liveos.cli.render import findings, heading, size, table, words
from liveos.medium.model import (
    Boot,
    Container,
    Entry,
    Firmware,
    Image,
    ImplantedMd5,
    Initramfs,
    Medium,
    MediumKind,
    PersistenceKind,
    Root,
    Store,
)

_KINDS = {
    MediumKind.ISO: "ISO 9660 image",
    MediumKind.DISK: "disk",
    MediumKind.FILESYSTEM: "filesystem",
    MediumKind.SQUASHFS: "squashfs image",
    MediumKind.EROFS: "EROFS image",
    MediumKind.DIRECTORY: "directory",
    MediumKind.LIVE: "running live system",
}


# The types that sticks have, of GPT (by GUID) and of MBR (by hexadecimal digits).
_TYPES = {
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI system",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux",
    "933ac7e1-2eb4-4f13-b844-0e14e2aef915": "Linux home",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "basic data",
    "ef": "EFI system",
    "83": "Linux",
    "0": "empty",
    "7": "exFAT or NTFS",
    "b": "FAT32",
    "c": "FAT32",
    "17": "hidden (isohybrid)",
    "cd": "ISO 9660",
}


def medium_view(medium: Medium, *, verbose: bool = False) -> Iterator[RenderableType]:
    """The parts of the view in order; ``verbose`` adds kernel lines and initramfs modules."""
    yield _title(medium)
    if medium.partitions:
        yield from _partitions(medium)
    for image in medium.images:
        yield from _image(medium, image, verbose=verbose)
    yield from _boot(medium.boot)
    yield from _checksum(medium.implanted_md5)
    if medium.warnings:
        yield Text("")
        yield from findings(medium.warnings)


def _title(medium: Medium) -> Text:
    label = f'"{words(medium.label)}"' if medium.label else "no label"
    facts = f"\n  {_KINDS[medium.kind]}, {label}, {size(medium.size)}"
    return Text.assemble((words(str(medium.path)), "bold cyan"), facts)


def _partitions(medium: Medium) -> Iterator[RenderableType]:
    yield heading("Partitions")
    lines = table("", "name", "type", "filesystem", "label", "size", right=["size"])
    for each in medium.partitions:
        lines.add_row(
            f"  {each.number}",
            words(each.name),
            _TYPES.get(each.type.lower(), words(each.type)),
            words(each.filesystem),
            words(each.label),
            size(each.size),
        )
    yield lines


def _image(medium: Medium, image: Image, *, verbose: bool) -> Iterator[RenderableType]:
    yield heading(f"Image {words(image.name)}", f"({image.family})")
    yield _layers(medium, image)
    yield from _places(image)
    yield from _remark_on_df(image.root)
    yield from _kernels(image, verbose=verbose)
    yield from _entries(image, verbose=verbose)
    yield from _persistence(image)


def _layers(medium: Medium, image: Image) -> Table:
    """Outermost first: each layer lies in the one above it."""
    lines = table("  layer", "format", "apparent", "used", "stored", right=_SIZES)
    lines.add_row("  the medium", _KINDS[medium.kind], "-", "-", size(medium.size))
    outer, *nested = _root_rows(image.root)
    beside = list(_stores(image))
    bar, branch = ("│", "├─") if beside else (" ", "└─")
    lines.add_row(f"  {branch} {outer[0]}", *outer[1:])
    for layer, *facts in nested:
        lines.add_row(f"  {bar}  └─ {layer}", *facts)
    for number, (use, _, kind, room) in enumerate(beside, 1):
        branch = "└─" if number == len(beside) else "├─"
        lines.add_row(f"  {branch} {use}", kind, "-", "-", size(room))
    return lines


def _stores(image: Image) -> Iterator[tuple[str, str, str, int | None]]:
    """What lies beside the root on an installed medium: use, path, kind, size."""
    if image.overlay is not None:
        overlay = image.overlay
        kind = ", ".join(filter(None, (overlay.kind, words(overlay.state or ""))))
        if overlay.kind is PersistenceKind.DIRECT:
            yield "overlay", overlay.path, "direct: the root itself", None
        else:
            yield "overlay", overlay.path, kind, overlay.size
    if image.home is not None:
        yield "home", image.home.path, home_kind(image.home), image.home.size
    if image.swap is not None:
        yield "swap", image.swap.path, words(image.swap.filesystem), image.swap.size


def home_kind(home: Store) -> str:
    """What a home is, in a word or two."""
    if home.encrypted:
        return "encrypted"
    return "unknown" if home.filesystem is None else f"plain, {words(home.filesystem)}"


def _places(image: Image) -> Iterator[Text]:
    """Where what keeps changes lies, and by which UUID home and swap are known."""
    for use, path, *_ in _stores(image):
        store = {"home": image.home, "swap": image.swap}.get(use)
        uuid = f" (UUID {words(store.uuid)})" if store is not None and store.uuid else ""
        yield Text(f"  {use}: {words(path)}{uuid}")


_SIZES = ("apparent", "used", "stored")


def _root_rows(root: Root) -> Iterator[tuple[str, str, str, str, str]]:
    path = words(root.file.path) if root.file else "root"
    sizes = size(root.apparent_size), size(root.used_size), size(root.stored_size)
    if root.container is Container.NONE:
        yield path, _filesystem(root), *sizes
        return
    packing = ", ".join(filter(None, (root.container, words(root.compression or ""))))
    if root.nested is None:
        yield path, f"{packing} (flat)", *sizes
        return
    yield path, packing, "-", "-", sizes[2]
    yield words(root.nested), _filesystem(root), *sizes


def _filesystem(root: Root) -> str:
    label = f' "{words(root.label)}"' if root.label else ""
    return f"{words(root.filesystem)}{label}"


def _remark_on_df(root: Root) -> Iterator[RenderableType]:
    """What df shows of a compressed root misleads; the numbers say so side by side."""
    if root.apparent_size is None or root.used_size is None or root.container is Container.NONE:
        return
    free = root.apparent_size - root.used_size
    shown = f"df will show {size(root.apparent_size)} with {size(free)} free"
    truth = f"but the root is read-only, packed into {size(root.stored_size)}"
    remark = f"{shown}, {truth}: changes get only the room that an overlay has."
    yield Padding(Text(remark, "italic"), (0, 0, 0, 2))


def _kernels(image: Image, *, verbose: bool) -> Iterator[RenderableType]:
    if not image.kernels and not image.initramfs:
        return
    yield heading("  Kernels")
    lines = table("  file", "size", "Linux", "made or signed by", right=["size"])
    for kernel in image.kernels:
        path = words(kernel.file.path)
        signers = _names(kernel.signers)
        lines.add_row(f"  {path}", size(kernel.file.size), words(kernel.version), signers)
    for initramfs in image.initramfs:
        path = words(initramfs.file.path)
        made = _made_by(initramfs, verbose=verbose)
        lines.add_row(f"  {path}", size(initramfs.file.size), words(initramfs.kernel), made)
    yield lines


def _made_by(initramfs: Initramfs, *, verbose: bool) -> str:
    maker = f"dracut {words(initramfs.dracut)}" if initramfs.dracut else "not dracut"
    if verbose and initramfs.modules:
        return f"{maker}: {', '.join(words(name) for name in initramfs.modules)}"
    return maker


def _entries(image: Image, *, verbose: bool) -> Iterator[RenderableType]:
    if not image.entries:
        return
    yield heading("  Boot entries", "* starts by itself")
    lines = table("  ", "firmware", "entry", "starts")
    for entry, firmware in _by_firmware(image.entries):
        title = " > ".join(words(part).strip(" ->") for part in (*entry.submenu, entry.title))
        mark, style = ("  *", "bold") if entry.default else ("", "")
        lines.add_row(mark, firmware, title, _starts(entry, verbose=verbose), style=style)
    yield lines


def _by_firmware(entries: Iterable[Entry]) -> Iterator[tuple[Entry, str]]:
    """Entries with the firmware that shows them; what both show alike is one."""
    shown: dict[Entry, list[Entry]] = {}
    for entry in entries:
        shown.setdefault(replace(entry, firmware=Firmware.BIOS, menu=""), []).append(entry)
    for alike in shown.values():
        yield alike[0], ", ".join(entry.firmware for entry in alike)


def _starts(entry: Entry, *, verbose: bool) -> str:
    started = words(entry.kernel) if entry.kernel else words(entry.command)
    if verbose:
        line = [started, *(words(option) for option in entry.options)]
        return " ".join(chain(line, (f"initrd={words(path)}" for path in entry.initrd)))
    return f"{started}, after a media check" if entry.checks_media else started


def _persistence(image: Image) -> Iterator[RenderableType]:
    if not image.persistence:
        return
    yield heading("  Persistence", "how changes can be kept")
    lines = table("  kind", "here", "why not")
    for option in image.persistence:
        answer = Text("yes", "green") if option.usable else Text("no", "red")
        lines.add_row(f"  {option.kind}", answer, words(option.reason) if option.reason else "")
    yield lines


def _boot(boot: Boot) -> Iterator[RenderableType]:
    yield heading("Firmware", _firmware(boot))
    if not boot.loaders:
        return
    lines = table("  loader", "firmware", "role", "signed by")
    for loader in boot.loaders:
        firmware = f"{loader.firmware} {words(loader.arch)}" if loader.arch else loader.firmware
        signers = _names(loader.signers)
        lines.add_row(f"  {words(loader.path)}", firmware, words(loader.role), signers)
    yield lines


def _names(signers: tuple[str, ...]) -> str:
    return ", ".join(words(signer) for signer in signers)


def _firmware(boot: Boot) -> str:
    ways = ["BIOS"] if boot.bios else []
    ways += [f"UEFI {arch}" for arch in boot.uefi]
    ways += ["Secure Boot"] if boot.secure_boot else []
    return ", ".join(ways) or "nothing that firmware could start"


def _checksum(implanted: ImplantedMd5 | None) -> Iterator[RenderableType]:
    if implanted is not None:
        yield heading("Checksum", f"implanted MD5 {implanted.md5}")
