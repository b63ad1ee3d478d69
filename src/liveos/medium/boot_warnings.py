# SPDX-License-Identifier: Apache-2.0
"""Why a stick will not start, as far as its files tell. Codes are stable."""

from collections.abc import Iterator

from liveos.medium.model import Image, Medium, MediumKind
from liveos.report import Finding, Severity


def boot_warnings(medium: Medium) -> Iterator[Finding]:
    """What keeps every image from starting, and what keeps one."""
    boot = medium.boot
    if medium.kind is MediumKind.DISK and medium.images and not (boot.bios or boot.uefi):
        yield Finding(
            "nothing-starts-it",
            Severity.WARNING,
            "no firmware can start it: there is neither boot code for BIOS nor a loader for UEFI",
        )
    for image in medium.images:
        yield from _foreign_initramfs(image)


def _foreign_initramfs(image: Image) -> Iterator[Finding]:
    """Without the modules of its kernel, an initramfs finds no stick."""
    kernels = {each.file.path.casefold(): each.version for each in image.kernels}
    archives = {each.file.path.casefold(): each.kernel for each in image.initramfs}
    told = set()
    for entry in image.entries:
        version = kernels.get((entry.kernel or "").casefold())
        made_for = {archives.get(path.casefold()) for path in entry.initrd} - {None}
        if version is None or not made_for or version in made_for:
            continue
        other = ", ".join(sorted(filter(None, made_for)))
        if (version, other) not in told:
            told.add((version, other))
            yield Finding(
                "initramfs-of-another-kernel",
                Severity.WARNING,
                f"{image.name}: {entry.kernel} is {version}, and its initramfs has the modules of"
                f" {other}",
            )
