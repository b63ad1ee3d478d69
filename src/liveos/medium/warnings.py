# SPDX-License-Identifier: Apache-2.0
"""What a person should know of a medium before using it. Codes are stable."""

import re
from collections import Counter
from collections.abc import Iterator

from liveos.formats.programs.pe import Role
from liveos.medium import dracut
from liveos.medium.boot_warnings import boot_warnings
from liveos.medium.bootline import label_problem
from liveos.medium.memory_warnings import overlay_warnings
from liveos.medium.model import (
    Container,
    Family,
    Firmware,
    Image,
    Medium,
    MediumKind,
    PersistenceKind,
)
from liveos.report import Finding, Severity

_FALLBACK = re.compile(r"(?i)/fb[a-z0-9]+\.efi$")
_LARGEST_ON_FAT = (1 << 32) - 1
_FAMILIES = {
    Family.INSTALLER: (
        "installer",
        "it is an installer, not a live system: liveos does not install it",
    ),
    Family.LIVE_BOOT: (
        "live-boot",
        "it starts by live-boot, not by dracut: liveos does not install it",
    ),
    Family.KIWI: (
        "kiwi-live",
        "its initramfs has kiwi-live: a copy on a stick starts, but keeps no changes",
    ),
    Family.MKINITRD: (
        "before-dracut",
        "its initrd was made before dracut: a copy on a stick keeps no changes",
    ),
}


def find_warnings(medium: Medium) -> Iterator[Finding]:
    """Findings about facts that are each as they should be read, but mean something."""
    if not medium.images:
        yield Finding("no-live-image", Severity.WARNING, "no LiveOS image was found in it")
    for image in medium.images:
        yield from _image_warnings(medium, image)
    yield from boot_warnings(medium)
    yield from _loader_warnings(medium)


def _image_warnings(medium: Medium, image: Image) -> Iterator[Finding]:
    if image.family in _FAMILIES:
        code, message = _FAMILIES[image.family]
        yield Finding(code, Severity.INFO, f"{image.name}: {message}")
    yield from _default_warnings(image)
    yield from _source_warnings(medium, image)
    yield from _root_warnings(medium, image)
    yield from _overlay_warnings(medium, image)
    yield from overlay_warnings(medium, image)


def _default_warnings(image: Image) -> Iterator[Finding]:
    checking = [str(e.firmware) for e in image.entries if e.default and e.checks_media]
    if checking:
        yield Finding(
            "default-checks-media",
            Severity.INFO,
            f"{image.name}: the default boot entry ({', '.join(checking)}) checks the medium first",
        )
    if image.family is Family.UNKNOWN and image.entries:
        yield Finding(
            "no-live-entry",
            Severity.WARNING,
            f"{image.name}: no boot entry starts it as a live system (root=live:…)",
        )


def _source_warnings(medium: Medium, image: Image) -> Iterator[Finding]:
    """Entries whose initramfs would look for another filesystem than the ones here."""
    here = {medium.label, *(name for p in medium.partitions for name in (p.label, p.uuid))}
    if here == {None}:
        return
    named = dict.fromkeys(entry.live_source for entry in image.entries if entry.live_source)
    for source in named:
        name = re.fullmatch(r"live:(?:CDLABEL|LABEL|UUID)=(.*)", source)
        if name is not None and _unescaped(name[1]) not in here:
            yield Finding(
                "other-filesystem-named",
                Severity.WARNING,
                f"{image.name}: the boot menu says root={source}, which is not a filesystem here",
            )


def _unescaped(label: str) -> str:
    r"""A label as udev's links spell it, with ``\x20`` for a blank."""
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), label)


def _root_warnings(medium: Medium, image: Image) -> Iterator[Finding]:
    file = image.root.file
    if medium.kind is MediumKind.ISO and file is not None and file.size > _LARGEST_ON_FAT:
        yield Finding(
            "over-4-gib",
            Severity.INFO,
            f"{file.path} has {file.size} bytes: too many for a file on FAT",
        )
    if image.root.container is not Container.EROFS:
        return
    for initramfs in image.initramfs:
        release = dracut.release(initramfs.dracut)
        if release is not None and release < dracut.EROFS_SINCE:
            yield Finding(
                "erofs-too-new",
                Severity.WARNING,
                f"{image.name}: dracut {initramfs.dracut} cannot start an EROFS image",
            )
        elif release is not None and release <= dracut.EROFS_MOUNTED_TWICE_UNTIL:
            yield Finding(
                "erofs-mounted-twice",
                Severity.INFO,
                f"{image.name}: dracut {initramfs.dracut} mounts the EROFS image twice, "
                "which fails with util-linux 2.41 and later on kernels with file-backed EROFS",
            )


def _overlay_warnings(medium: Medium, image: Image) -> Iterator[Finding]:
    if image.overlay is None:
        return
    problem = label_problem(medium.label or "")
    if problem:
        yield Finding("label-hides-overlay", Severity.WARNING, problem)
    if image.overlay.kind is PersistenceKind.SNAPSHOT and image.root.is_flat:
        yield Finding(
            "snapshot-over-flat-root",
            Severity.WARNING,
            f"{image.name}: a snapshot overlay keeps a flat image from starting",
        )


def _loader_warnings(medium: Medium) -> Iterator[Finding]:
    loaders = [each for each in medium.boot.loaders if each.firmware is Firmware.UEFI]
    # shim looks for it by name (images.md 2.4).
    if any(_FALLBACK.search(loader.path) for loader in loaders):
        yield Finding(
            "shim-fallback",
            Severity.INFO,
            "shim's fallback (fb*.efi) is there: on a stick it restarts the machine for ever",
        )
    folded = Counter(loader.path.casefold() for loader in loaders)
    for path in sorted(path for path, count in folded.items() if count > 1):
        yield Finding(
            "names-differ-in-case",
            Severity.INFO,
            f"{path} is there in more than one spelling, which FAT cannot keep apart",
        )
    if any(loader.role == Role.SHIM and loader.signers and not loader.sbat for loader in loaders):
        yield Finding(
            "revoked-shim",
            Severity.WARNING,
            "shim is older than SBAT: machines with current revocations refuse it under Secure "
            "Boot",
        )
