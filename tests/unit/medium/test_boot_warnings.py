# SPDX-License-Identifier: Apache-2.0
"""What will not start is said."""

from dataclasses import replace

from liveos.medium.boot_warnings import boot_warnings
from liveos.medium.model import Boot, Entry, Firmware, Kernel, Medium, MediumKind
from tests.unit.operations.sources import NESTED, medium

(INITRAMFS,) = NESTED.initramfs
KERNEL = replace(NESTED.kernels[0], version="6.1.0-1")
ENTRY = Entry(
    "Start", Firmware.BIOS, "/grub.cfg", None, KERNEL.file.path, (INITRAMFS.file.path,), ("quiet",)
)


def codes(found: Medium) -> list[str]:
    return [finding.code for finding in boot_warnings(found)]


def test_a_stick_that_nothing_starts() -> None:
    nothing = Boot(bios=False, uefi=(), secure_boot=False)
    stick = medium(kind=MediumKind.DISK, boot=nothing)
    assert codes(stick) == ["nothing-starts-it"]
    assert codes(replace(stick, boot=replace(nothing, bios=True))) == []
    assert codes(replace(stick, boot=replace(nothing, uefi=("x64",)))) == []
    assert codes(replace(stick, kind=MediumKind.ISO)) == []
    assert codes(replace(stick, images=())) == []


def with_modules_of(version: str | None, kernel: Kernel = KERNEL) -> Medium:
    archive = replace(INITRAMFS, kernel=version)
    entries = (ENTRY, replace(ENTRY, title="Again"))
    return medium(replace(NESTED, entries=entries, kernels=(kernel,), initramfs=(archive,)))


def test_an_initramfs_of_another_kernel() -> None:
    assert codes(with_modules_of("6.1.0-1")) == []
    assert codes(with_modules_of("6.1.0-2")) == ["initramfs-of-another-kernel"]
    assert codes(with_modules_of(None)) == []
    assert codes(with_modules_of("6.1.0-2", replace(KERNEL, version=None))) == []
