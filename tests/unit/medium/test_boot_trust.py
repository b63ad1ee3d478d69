# SPDX-License-Identifier: Apache-2.0
"""Which kernels the signed loaders of a stick may refuse."""

from dataclasses import replace
from pathlib import Path

from liveos.medium.boot_trust import distrust
from liveos.medium.model import FileRef, Firmware, Kernel, Loader

VMLINUZ = FileRef("/vmlinuz", 1, Path("x.iso"))
DEBIAN = Kernel(VMLINUZ, "6.1", ("Debian - linux",), ("Debian CA",))
FEDORA = Kernel(VMLINUZ, "6.2", ("kernel-signer",), ("fedoraca",))
SHIM = Loader("/EFI/BOOT/BOOTX64.EFI", Firmware.UEFI, "x64", "shim", ("MS",), issuers=("MS CA",))
GRUB = Loader(
    "/EFI/BOOT/GRUBX64.EFI", Firmware.UEFI, "x64", "grub", ("Debian",), issuers=("Debian CA",)
)


def test_the_same_authority_is_trusted() -> None:
    assert distrust([SHIM, GRUB], [], DEBIAN, "A") is None


def test_another_authority_is_named_with_what_can_be_done() -> None:
    said = distrust([SHIM, GRUB], [], FEDORA, "A") or ""
    assert "A may not start" in said
    assert "by fedoraca, " in said
    assert "by Debian CA;" in said


def test_what_starts_already_counts() -> None:
    assert distrust([SHIM, GRUB], [FEDORA], FEDORA, "A") is None


def test_a_kernel_without_a_signature() -> None:
    unsigned = replace(FEDORA, signers=(), issuers=())
    assert "is not signed" in (distrust([SHIM, GRUB], [], unsigned, "A") or "")


def test_without_secure_boot_nothing_is_said() -> None:
    assert distrust([SHIM], [], FEDORA, "A") is None
    assert distrust([], [], FEDORA, "A") is None
