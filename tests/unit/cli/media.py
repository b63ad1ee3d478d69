# SPDX-License-Identifier: Apache-2.0
"""Facts of made-up media, for the tests of what people read."""

from pathlib import Path

from liveos.medium.model import (
    Boot,
    Container,
    Entry,
    Family,
    FileRef,
    Firmware,
    Image,
    ImplantedMd5,
    Initramfs,
    Kernel,
    Loader,
    Medium,
    MediumKind,
    Overlay,
    Partition,
    PersistenceKind,
    PersistenceOption,
    Root,
    Store,
)
from liveos.report import Finding, Severity

GIB = 1 << 30
MIB = 1 << 20
ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
ISO = Path("/srv/Fedora-Workstation-Live-x86_64-28-1.1.iso")


def file(path: str, size: int) -> FileRef:
    return FileRef(path, size, ISO)


# The sizes are those of the wiki page's example: 6.4 GiB apparent, 4.9 used, 1.6 stored.
NESTED_ROOT = Root(
    file=file("/LiveOS/squashfs.img", 16 * GIB // 10),
    container=Container.SQUASHFS,
    compression="xz",
    nested="/LiveOS/rootfs.img",
    filesystem="ext4",
    label="Anaconda",
    uuid="0b1c2d3e-0000-4000-8000-000000000001",
    apparent_size=64 * GIB // 10,
    used_size=49 * GIB // 10,
    stored_size=16 * GIB // 10,
)

OPTIONS = ("root=live:CDLABEL=Fedora-WS-Live-28-1-1", "rd.live.image", "quiet")


def entry(title: str, firmware: Firmware, *more: str, default: bool = False) -> Entry:
    menu = "/isolinux/isolinux.cfg" if firmware is Firmware.BIOS else "/EFI/BOOT/grub.cfg"
    return Entry(
        title=title,
        firmware=firmware,
        menu=menu,
        label=None,
        kernel="/isolinux/vmlinuz",
        initrd=("/isolinux/initrd.img",),
        options=(*OPTIONS, *more),
        default=default,
        submenu=("Troubleshooting",) if "nomodeset" in more else (),
    )


IMAGE = Image(
    name="LiveOS",
    family=Family.DMSQUASH,
    root=NESTED_ROOT,
    kernels=(
        Kernel(file("/isolinux/vmlinuz", 8 * MIB), "4.16.3-301.fc28.x86_64", signers=("Fedora",)),
    ),
    initramfs=(
        Initramfs(
            file("/isolinux/initrd.img", 40 * MIB),
            dracut="047",
            modules=("bash", "dmsquash-live", "livenet"),
            kernel="4.16.3-301.fc28.x86_64",
        ),
    ),
    entries=(
        entry("Start Fedora-Workstation-Live 28", Firmware.BIOS),
        entry("Test this media & start", Firmware.BIOS, "rd.live.check", default=True),
        entry("Start in basic graphics mode", Firmware.BIOS, "nomodeset"),
        entry("Start Fedora-Workstation-Live 28", Firmware.UEFI, default=True),
    ),
    persistence=(
        PersistenceOption(PersistenceKind.SNAPSHOT, usable=True),
        PersistenceOption(
            PersistenceKind.DIRECTORY,
            usable=False,
            reason="dracut 047 knows no OverlayFS; 048 was the first that did",
        ),
        PersistenceOption(PersistenceKind.IMAGE, usable=False, reason="likewise"),
    ),
)

NESTED_ISO = Medium(
    path=ISO,
    kind=MediumKind.ISO,
    label="Fedora-WS-Live-28-1-1",
    size=17 * GIB // 10,
    images=(IMAGE,),
    boot=Boot(
        bios=True,
        uefi=("x64", "ia32"),
        secure_boot=True,
        loaders=(
            Loader("/isolinux/isolinux.bin", Firmware.BIOS, None, "isolinux"),
            Loader(
                "/EFI/BOOT/BOOTX64.EFI",
                Firmware.UEFI,
                "x64",
                "shim",
                signers=("Microsoft Corporation UEFI CA 2011",),
            ),
            Loader(
                "/EFI/BOOT/grubx64.efi",
                Firmware.UEFI,
                "x64",
                "GRUB",
                signers=("Fedora Secure Boot",),
            ),
        ),
    ),
    implanted_md5=ImplantedMd5("0123456789abcdef0123456789abcdef", supported=True),
    warnings=(
        Finding("menu-missing", Severity.WARNING, "the menu names a file that is not there"),
    ),
)

STICK = Medium(
    path=Path("stick.img"),
    kind=MediumKind.DISK,
    label=None,
    size=8 * GIB,
    images=(
        Image(
            name="LiveOS",
            family=Family.DMSQUASH,
            root=NESTED_ROOT,
            overlay=Overlay(
                PersistenceKind.SNAPSHOT, "/LiveOS/overlay-LIVE-0b1c2d3e", 2 * GIB, "blank"
            ),
            home=Store("/LiveOS/home.img", GIB, encrypted=True),
        ),
    ),
    partitions=(
        Partition(1, "BIOS boot", "21686148-6449-6e6f-744e-656564454649", MIB, MIB),
        Partition(2, "ESP", ESP_TYPE, 4 * MIB, 512 * MIB, "vfat", "ESP"),
        Partition(3, "LIVE", "83", 516 * MIB, 7 * GIB, "ext4", "LIVE"),
    ),
)
