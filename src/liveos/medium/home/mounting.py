# SPDX-License-Identifier: Apache-2.0
"""How a ``home.img`` beside an image comes to be mounted at /home, told from what the image holds.

The ways are those of the reference (images.md 3.4), best first: what the image does by itself, a
word for systemd on the kernel line, a unit that dracut copies into the root at each boot.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree
from liveos.medium.model import Family, Image

_LIVESYS = (
    "/usr/libexec/livesys/livesys-main",
    "/usr/lib/systemd/system/livesys.service",
    "/etc/systemd/system/livesys.service",
    "/etc/rc.d/init.d/livesys",
)
_CRYPTSETUP = ("/usr/sbin/cryptsetup", "/usr/bin/cryptsetup", "/sbin/cryptsetup")
_PLYMOUTH = ("/usr/bin/plymouth", "/bin/plymouth")
_TARGETED = ("/etc/selinux/targeted/contexts",)
# systemd's own library has the version in its name, in one of these directories.
_SYSTEMD_DIRECTORIES = (
    "/usr/lib/systemd", "/usr/lib64/systemd", "/lib/systemd",
    "/usr/lib/x86_64-linux-gnu/systemd", "/usr/lib/aarch64-linux-gnu/systemd",
)  # fmt: skip
_SYSTEMD_LIBRARY = re.compile(r"libsystemd-shared-(\d{1,4})\b.*\.so")
_MOUNT_EXTRA_SINCE = 254
_LIVE_WORDS = frozenset({"rd.live.image", "liveimg"})


class HomeWay(StrEnum):
    """What mounts a home at boot."""

    LIVESYS = "livesys"
    MOUNT_EXTRA = "mount-extra"
    UPDATES = "updates"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LiveSystem:
    """What is in a root that matters for a home.

    ``systemd`` is its version. ``targeted`` means that files need the labels of SELinux's
    targeted policy.
    """

    livesys: str | None = None
    systemd: int | None = None
    cryptsetup: bool = False
    plymouth: bool = False
    targeted: bool = False


@dataclass(frozen=True, slots=True)
class Mounting:
    """A way, and why it is this one; ``words`` are missing on the kernel line for it."""

    way: HomeWay
    reason: str
    words: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_live_system(tree: FileTree) -> LiveSystem:
    """The facts of a root by its files; what cannot be read is not there."""
    return LiveSystem(
        livesys=_first(tree, _LIVESYS),
        systemd=_systemd_version(tree),
        cryptsetup=_first(tree, _CRYPTSETUP) is not None,
        plymouth=_first(tree, _PLYMOUTH) is not None,
        targeted=_first(tree, _TARGETED) is not None,
    )


def choose_mounting(
    system: LiveSystem | None, image: Image, directory: str, *, encrypted: bool
) -> Mounting:
    """The best way for ``/directory/home.img`` of a medium, with its reason.

    ``system`` None: the files of the root cannot be read.
    """
    if system is None:
        return Mounting(HomeWay.NONE, "the files of its root cannot be read")
    if encrypted and not system.cryptsetup:
        return Mounting(HomeWay.NONE, "its root has no cryptsetup, which must open the home")
    if system.livesys is not None and _is_told_to_be_live(image):
        return _by_livesys(system, system.livesys, encrypted=encrypted)
    return _by_us(system, image, directory, encrypted=encrypted)


def _by_livesys(system: LiveSystem, path: str, *, encrypted: bool) -> Mounting:
    # livesys asks through plymouth alone (images.md 3.2).
    silent = encrypted and not system.plymouth
    warning = "its root has no plymouth, by which livesys asks for the passphrase at boot"
    return Mounting(
        HomeWay.LIVESYS,
        f"the image mounts it by itself, by {path}",
        warnings=(warning,) if silent else (),
    )


def _by_us(system: LiveSystem, image: Image, directory: str, *, encrypted: bool) -> Mounting:
    """For images without livesys, or where it does not run."""
    without = "it has no livesys" if system.livesys is None else "no entry has rd.live.image"
    if image.family is not Family.DMSQUASH:
        return Mounting(HomeWay.NONE, f"{without}, and is not started by dracut's dmsquash-live")
    if system.systemd is None:
        return Mounting(HomeWay.NONE, f"{without}, and no systemd that could mount a home")
    if encrypted:
        return Mounting(HomeWay.NONE, f"{without}: nothing would ask for the passphrase")
    if system.systemd >= _MOUNT_EXTRA_SINCE:
        reason = f"{without}; its systemd {system.systemd} mounts what the kernel line names"
        word = mount_word(directory)
        return Mounting(HomeWay.MOUNT_EXTRA, reason, () if _all_have(image, word) else (word,))
    return Mounting(
        HomeWay.UPDATES,
        f"{without}, and its systemd {system.systemd} is older than {_MOUNT_EXTRA_SINCE}:"
        " it needs a unit in the directory updates of the stick",
    )


def _all_have(image: Image, word: str) -> bool:
    """Whether every entry that starts the image has a word on its kernel line already."""
    started = [entry for entry in image.entries if entry.live_source]
    return bool(started) and all(word in entry.options for entry in started)


def mount_word(directory: str) -> str:
    """The word on the kernel line that lets systemd mount a home (kernel-command-line(7))."""
    path = "/".join(filter(None, ("/run/initramfs/live", directory.strip("/"), "home.img")))
    return f"systemd.mount-extra={path}:/home:ext4:loop,nofail"


def _is_told_to_be_live(image: Image) -> bool:
    """Whether the kernel line lets livesys run; assumed where there is no menu."""
    started = [entry for entry in image.entries if entry.live_source]
    return not started or any(_LIVE_WORDS & set(entry.options) for entry in started)


def _first(tree: FileTree, paths: tuple[str, ...]) -> str | None:
    for path in paths:
        try:
            if tree.resolve(path) is not None:
                return path
        except FormatError:
            continue
    return None


def _systemd_version(tree: FileTree) -> int | None:
    found = []
    for path in _SYSTEMD_DIRECTORIES:
        try:
            node = tree.resolve(path)
            if node is not None and node.kind is FileKind.DIRECTORY:
                found += [_SYSTEMD_LIBRARY.fullmatch(name) for name, _ in tree.scan(node)]
        except FormatError:
            continue
    return max((int(match[1]) for match in found if match), default=None)
