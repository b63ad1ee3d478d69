# SPDX-License-Identifier: Apache-2.0
"""Every external program that liveos may start, declared once.

A `Command` is a value: it can be printed, compared and tested without being run.
``liveos.host.run`` is the only module that runs one.
"""

import shlex
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tool:
    """A program: where it comes from, how old it may be, and which verbs need it.

    ``programs`` are the names it has, first choice first. ``version_arguments`` make it print a
    version; ``minimum`` is compared with the first dotted number in what it prints.
    """

    programs: tuple[str, ...]
    fedora: str
    debian: str
    verbs: tuple[str, ...]
    purpose: str
    version_arguments: tuple[str, ...] = ("--version",)
    minimum: str | None = None

    @property
    def name(self) -> str:
        """The first choice among its names."""
        return self.programs[0]

    @property
    def how_to_install(self) -> str:
        """The next step when it is missing."""
        return f"install it: dnf install {self.fedora}, or apt install {self.debian}"


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its final arguments.

    ``accepted`` lists the statuses that mean success; ``environment`` adds to the minimal one.
    """

    tool: Tool
    arguments: tuple[str, ...]
    accepted: frozenset[int] = frozenset({0})
    environment: tuple[tuple[str, str], ...] = field(default=())

    def __str__(self) -> str:
        prefix = [f"{name}={shlex.quote(value)}" for name, value in self.environment]
        return " ".join([*prefix, shlex.join((self.tool.name, *self.arguments))])


SFDISK = Tool(
    ("sfdisk",), "util-linux", "fdisk", ("install",), "writes partition tables", minimum="2.35"
)
MKFS_FAT = Tool(
    ("mkfs.fat",), "dosfstools", "dosfstools", ("install",), "makes FAT filesystems",
    ("--help",), minimum="4.1",
)  # fmt: skip
MKE2FS = Tool(
    ("mke2fs",), "e2fsprogs", "e2fsprogs", ("install", "home"), "makes ext4 filesystems",
    ("-V",), minimum="1.45",
)  # fmt: skip
DEBUGFS = Tool(
    ("debugfs",), "e2fsprogs", "e2fsprogs", ("install", "overlay", "home"),
    "edits ext4 filesystems", ("-V",), minimum="1.45",
)  # fmt: skip
E2FSCK = Tool(
    ("e2fsck",), "e2fsprogs", "e2fsprogs", ("install", "overlay", "home"),
    "checks ext4 filesystems in files", ("-V",), minimum="1.45",
)  # fmt: skip
RESIZE2FS = Tool(
    ("resize2fs",), "e2fsprogs", "e2fsprogs", ("home",), "resizes ext4 filesystems",
    ("-h",), minimum="1.45",
)  # fmt: skip
MTOOLS = Tool(
    ("mtools",), "mtools", "mtools", ("install", "boot", "prove", "overlay", "home"),
    "reads and writes FAT filesystems in files", minimum="4.0.18",
)  # fmt: skip
BLKID = Tool(
    ("blkid",), "util-linux", "util-linux", ("install",), "names what an existing target holds",
    minimum="2.35",
)  # fmt: skip
CRYPTSETUP = Tool(
    ("cryptsetup",), "cryptsetup", "cryptsetup-bin", ("home", "install"), "makes encrypted volumes",
    minimum="2.4",
)  # fmt: skip
DMSETUP = Tool(
    ("dmsetup",), "device-mapper", "dmsetup", ("overlay status",),
    "tells of the running system's overlay", ("version",),
)  # fmt: skip
GRUB_MKIMAGE = Tool(
    ("grub2-mkimage", "grub-mkimage"), "grub2-tools-minimal grub2-pc-modules",
    "grub-common grub-pc-bin", ("install",), "builds the BIOS boot loader", minimum="2.02",
)  # fmt: skip
QEMU = Tool(
    ("qemu-system-x86_64", "qemu-kvm"), "qemu-system-x86-core", "qemu-system-x86",
    ("boot", "prove"), "runs virtual machines",
    minimum="7.1",  # screenshots as PNG
)  # fmt: skip
QEMU_IMG = Tool(
    ("qemu-img",), "qemu-img", "qemu-utils", ("boot", "prove"), "makes throw-away disk layers",
    minimum="6.2",
)  # fmt: skip
QEMU_IO = Tool(
    ("qemu-io",), "qemu-img", "qemu-utils", ("prove",), "writes into throw-away disk layers",
    minimum="6.2",
)  # fmt: skip
GPGV = Tool(
    ("gpgv",), "gnupg2", "gpgv", ("verify",), "judges signatures of checksum files", minimum="2.2"
)
MOUNT = Tool(
    ("mount",), "util-linux", "mount", ("install", "remove"),
    "lets a mounted stick be written", minimum="2.35",
)  # fmt: skip
MKFS_BTRFS = Tool(
    ("mkfs.btrfs",), "btrfs-progs", "btrfs-progs", ("install",), "makes Btrfs with files in it",
    minimum="4.14",  # --rootdir keeps the size of the image
)  # fmt: skip
BTRFS = Tool(("btrfs",), "btrfs-progs", "btrfs-progs", ("install",), "checks Btrfs")
MKFS_XFS = Tool(
    ("mkfs.xfs",), "xfsprogs", "xfsprogs", ("install",), "makes XFS", ("-V",), minimum="5.19"
)  # fmt: skip
XFS_DB = Tool(
    ("xfs_db",), "xfsprogs", "xfsprogs", ("install",), "edits XFS", ("-V",), minimum="5.19"
)
XFS_REPAIR = Tool(("xfs_repair",), "xfsprogs", "xfsprogs", ("install",), "checks XFS", ("-V",))
MKFS_F2FS = Tool(
    ("mkfs.f2fs",), "f2fs-tools", "f2fs-tools", ("install",), "makes F2FS", ("-V",), minimum="1.11"
)
SLOAD_F2FS = Tool(
    ("sload.f2fs",), "f2fs-tools", "f2fs-tools", ("install",), "puts files into F2FS", ("-V",)
)
FSCK_F2FS = Tool(("fsck.f2fs",), "f2fs-tools", "f2fs-tools", ("install",), "checks F2FS", ("-V",))
MKFS_EXFAT = Tool(
    ("mkfs.exfat",), "exfatprogs", "exfatprogs", ("install",), "makes exFAT", ("-V",), minimum="1.1"
)  # fmt: skip
EXFATLABEL = Tool(
    ("exfatlabel",), "exfatprogs", "exfatprogs", ("install",), "numbers exFAT", ("-V",)
)
FSCK_EXFAT = Tool(
    ("fsck.exfat",), "exfatprogs", "exfatprogs", ("install",), "checks exFAT", ("-V",)
)
SYSLINUX = Tool(
    ("syslinux",), "syslinux syslinux-nonlinux", "syslinux syslinux-common", ("install",),
    "makes FAT start on BIOS", minimum="6.03",
)  # fmt: skip
OBJCOPY = Tool(
    ("objcopy",), "binutils systemd-boot-unsigned", "binutils systemd-boot-efi", ("install",),
    "builds unified kernel images", minimum="2.35",
)  # fmt: skip

ALL_TOOLS = (
    SFDISK, MKFS_FAT, MKE2FS, DEBUGFS, E2FSCK, RESIZE2FS, MTOOLS, BLKID, CRYPTSETUP, DMSETUP,
    GRUB_MKIMAGE, QEMU, QEMU_IMG, QEMU_IO, GPGV, MOUNT, MKFS_BTRFS, BTRFS, MKFS_XFS, XFS_DB,
    XFS_REPAIR, MKFS_F2FS, SLOAD_F2FS, FSCK_F2FS, MKFS_EXFAT, EXFATLABEL,
    FSCK_EXFAT, SYSLINUX, OBJCOPY,
)  # fmt: skip
