# SPDX-License-Identifier: Apache-2.0
"""What each image is made of. Only data: how it is made stands in the other modules."""

from dataclasses import dataclass
from enum import StrEnum


class Payload(StrEnum):
    """What `LiveOS/squashfs.img` is."""

    NESTED = "nested"
    """A squashfs that holds `LiveOS/rootfs.img`, an ext4 filesystem."""
    SQUASHFS = "squashfs"
    """A squashfs of the root itself."""
    EROFS = "erofs"
    """An EROFS of the root itself, under the old name."""


class Shape(StrEnum):
    """Whose media the ISO's tree, menus and boot records follow."""

    ISOLINUX = "isolinux"
    """livemedia-creator with isolinux: Fedora 24 to 36."""
    GRUB2 = "grub2"
    """livemedia-creator with GRUB 2 for BIOS: Fedora 37 to 41."""
    KIWI = "kiwi"
    """kiwi: Fedora 42 and later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One live image."""

    name: str
    suite: str
    label: str
    """The ISO's volume identifier."""
    product: str
    """The name in the menus."""
    payload: Payload
    shape: Shape
    livesys: bool
    packages: tuple[str, ...]
    """Beyond `ROOT_PACKAGES`."""
    initramfs_compressor: str
    """A command, as dracut's --compress takes it."""
    aptopts: tuple[str, ...] = ()


ROOT_PACKAGES = (
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "linux-image-amd64",
    "dracut",
    "dmsetup",
    "e2fsprogs",
    "cryptsetup-bin",
    "isomd5sum",
    "util-linux",
    "zstd",
)

LOADER_PACKAGES = (
    "shim-signed",
    "shim-helpers-amd64-signed",
    "grub-efi-amd64-signed",
    "grub-pc-bin",
    "grub-common",
    "grub2-common",
    "isolinux",
    "syslinux-common",
)

EXCLUDED_FROM_ROOT = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/share/bash-completion/*",
)

ROOTFS_SIZE = "1024M"
"""Of the nested image's ext4: several times what is in it, as real ones have free space too."""

KERNEL_MODULES = (
    "arch/",
    "block/",
    "crypto/",
    "lib/",
    "mm/",
    "drivers/acpi/",
    "drivers/ata/",
    "drivers/block/(loop|virtio_blk|zram/)",
    "drivers/cdrom/",
    "drivers/char/(hw_random/|virtio_console)",
    "drivers/dax/",
    "drivers/firmware/",
    "drivers/hid/(hid|hid-generic|usbhid/.*)\\.ko",
    "drivers/input/(evdev|serio/|keyboard/|mouse/psmouse)",
    "drivers/md/",
    "drivers/mmc/",
    "drivers/nvdimm/",
    "drivers/nvme/host/",
    "drivers/rtc/",
    "drivers/scsi/(scsi_common|scsi_mod|sd_mod|sr_mod|sg|virtio_scsi)\\.ko",
    "drivers/usb/(common|core|host|storage)/",
    "drivers/virtio/",
    "fs/(autofs|configfs|efivarfs|fuse|jbd2|mbcache|nls|overlayfs)",
    "fs/(btrfs|erofs|exfat|ext4|f2fs|fat|isofs|squashfs|xfs)",
)
"""Regular expressions of paths: what a stick, an optical drive or a virtual disk may need."""

INITRAMFS_DRIVERS = (
    "ahci ata_piix mmc_block nvme sd_mod sdhci_pci sr_mod uas usb_storage xhci_pci "
    "virtio_blk virtio_pci virtio_scsi dm_crypt dm_snapshot loop "
    "nls_ascii nls_cp437 nls_iso8859-1 nls_utf8"
)
INITRAMFS_FILESYSTEMS = "vfat exfat ext4 xfs btrfs f2fs squashfs isofs overlay erofs"

NESTED = Recipe(
    name="nested",
    suite="bookworm",
    label="Debian-WS-Live-12-1-5",
    product="Debian-Workstation-Live 12",
    payload=Payload.NESTED,
    shape=Shape.ISOLINUX,
    livesys=True,
    packages=("dracut-live",),
    initramfs_compressor="zstd -q -T0 -3",
)
FLAT = Recipe(
    name="flat",
    suite="trixie",
    label="Debian-WS-Live-13-1-4",
    product="Debian-Workstation-Live 13",
    payload=Payload.SQUASHFS,
    shape=Shape.GRUB2,
    livesys=False,
    packages=("dracut-live",),
    initramfs_compressor="zstd -q -T0 -3",
)
EROFS = Recipe(
    name="erofs",
    suite="forky",
    label="Debian-WS-Live-14",
    product="Debian-Workstation-Live 14",
    payload=Payload.EROFS,
    shape=Shape.KIWI,
    livesys=True,
    packages=("erofs-utils",),
    initramfs_compressor="zstd -q -T0 -3",
    # A suite that is not released yet signs for a week only, and mirrors may lag.
    aptopts=('Acquire::Check-Valid-Until "false"',),
)

RECIPES = (NESTED, FLAT, EROFS)
