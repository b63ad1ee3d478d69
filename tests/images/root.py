# SPDX-License-Identifier: Apache-2.0
"""The root filesystem: one run of mmdebstrap, whose hooks do all that must be done inside the root.

Only there is an ordinary user root too, and every file's owner right. The hooks are the scripts in
`steps/`. They work in `/run/liveos-build` of the root, which is never packed, and leave their
results in `out/` there; that directory is copied out at the end.
"""

import os
import pwd
import shlex
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.images import menus
from tests.images.programs import BuildError, Log
from tests.images.recipes import (
    EXCLUDED_FROM_ROOT,
    INITRAMFS_DRIVERS,
    INITRAMFS_FILESYSTEMS,
    KERNEL_MODULES,
    LOADER_PACKAGES,
    ROOT_PACKAGES,
    ROOTFS_SIZE,
    Recipe,
    Shape,
)

HERE = Path(__file__).parent
MIRROR = "http://deb.debian.org/debian"
STEPS = ("configure", "prune-modules", "initramfs", "loaders", "pack")

# What a core image holds: enough to find the other modules on the ISO, or nearly everything.
GRUB_MODULES = {
    Shape.ISOLINUX: "iso9660 biosdisk",
    Shape.GRUB2: "iso9660 biosdisk",
    Shape.KIWI: (
        "ext2 fat xfs btrfs iso9660 squash4 lvm luks part_gpt part_msdos biosdisk "
        "search search_fs_file search_fs_uuid search_label loopback gzio "
        "normal configfile linux chain boot test echo ls halt reboot all_video"
    ),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the root gave: the pieces that an ISO is put together from."""

    directory: Path

    @property
    def kernel(self) -> Path:
        return self.directory / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        return self.directory / "initrd.img"

    @property
    def squashfs(self) -> Path:
        """`LiveOS/squashfs.img`, which may be EROFS as well."""
        return self.directory / "squashfs.img"

    @property
    def loaders(self) -> Path:
        """The suite's `/usr/lib` with its boot loaders, GRUB's font, and `eltorito.img`."""
        return self.directory / "loaders"

    def fact(self, name: str) -> str:
        """What a program inside the root said; empty if it was not asked."""
        path = self.directory / "facts" / name
        return path.read_text() if path.exists() else ""


def build_root(recipe: Recipe, work: Path, log: Log) -> Parts:
    """Bootstrap the suite, make it a live root, pack it, and fetch the pieces of the ISO."""
    guest = _write_guest_files(recipe, work / "guest.tar")
    log.run(_mmdebstrap(recipe, guest, work), environment=_settings(recipe))
    return Parts(work / "out")


def _mmdebstrap(recipe: Recipe, guest: Path, work: Path) -> list[str]:
    hooks = [
        f"tar-in {shlex.quote(str(guest))} /",
        *((HERE / "steps" / f"{step}.sh").read_text() for step in STEPS),
        f"copy-out /run/liveos-build/out {shlex.quote(str(work))}",
    ]
    return [
        "mmdebstrap",
        f"--mode={_mode()}",
        "--variant=minbase",
        "--format=null",
        # The root is thrown away as soon as its pieces were copied out.
        "--skip=cleanup",
        f"--include={','.join(ROOT_PACKAGES + recipe.packages)}",
        *(f"--aptopt={option}" for option in recipe.aptopts),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED_FROM_ROOT),
        *(f"--customize-hook={hook}" for hook in hooks),
        recipe.suite,
        "-",
        os.environ.get("LIVEOS_DEBIAN_MIRROR", MIRROR),
    ]


def _mode() -> str:
    """Root needs no namespace; anybody else needs one, and sub-ids to fill it."""
    if os.geteuid() == 0:
        return "root"
    user = pwd.getpwuid(os.geteuid()).pw_name
    table = Path("/etc/subuid")
    lines = table.read_text().splitlines() if table.exists() else []
    if {user, str(os.geteuid())} & {line.split(":")[0] for line in lines}:
        return "unshare"
    raise BuildError(f"{user} has no sub-ids: build as root, or see usermod --add-subuids")


def _settings(recipe: Recipe) -> dict[str, str]:
    """What the scripts in `steps/` are told, and the kernel packages' own hook."""
    return {
        # The installation of the kernel would build an initramfs that nobody uses.
        "INITRD": "No",
        "LIVEOS_GENERATION": recipe.name,
        "LIVEOS_PAYLOAD": recipe.payload,
        "LIVEOS_ROOTFS_SIZE": ROOTFS_SIZE,
        "LIVEOS_MODULES": "|".join(KERNEL_MODULES),
        "LIVEOS_COMPRESS": recipe.initramfs_compressor,
        "LIVEOS_INITRAMFS_DRIVERS": INITRAMFS_DRIVERS,
        "LIVEOS_INITRAMFS_FILESYSTEMS": INITRAMFS_FILESYSTEMS,
        "LIVEOS_LOADER_PACKAGES": " ".join(LOADER_PACKAGES),
        "LIVEOS_GRUB_MODULES": GRUB_MODULES[recipe.shape],
        "LIVEOS_GRUB_EARLY_CONFIG": menus.early_config(recipe),
    }


def _write_guest_files(recipe: Recipe, path: Path) -> Path:
    """Pack our own files for the root, with plain owners and modes whatever the checkout has."""
    with tarfile.open(path, "w") as tar:
        tar.add(HERE / "guest", arcname=".", filter=_as_system_file)
        if recipe.livesys:
            tar.add(HERE / "livesys", arcname=".", filter=_as_system_file)
    return path


def _as_system_file(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    executable = member.isdir() or "libexec/" in member.name
    member.mode = 0o755 if executable else 0o644
    return member
