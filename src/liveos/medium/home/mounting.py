# SPDX-License-Identifier: Apache-2.0
"""How a home comes to be mounted at /home, and swap enabled, told from what the image holds.

The ways are those of the reference (images.md 3.4), best first: what the image does by itself, a
word for systemd on the kernel line, a unit that dracut copies into the root at each boot.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree
from liveos.medium.home.updates import UpdateFile, update_files
from liveos.medium.home.user import LIVE_USER, HomeUser, read_user
from liveos.medium.home.words import (
    LIVE_DEVICE,
    NO_HOME,
    is_home_word,
    is_swap_word,
    leaves_home_closed,
)
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
_EXTRA_SINCE = 254  # systemd.mount-extra= and systemd.swap-extra=, kernel-command-line(7)
_LIVE_WORDS = frozenset({"rd.live.image", "liveimg"})


class HomeWay(StrEnum):
    """What mounts a home at boot, or enables swap."""

    LIVESYS = "livesys"
    MOUNT_EXTRA = "mount-extra"
    SWAP_EXTRA = "swap-extra"
    UPDATES = "updates"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LiveSystem:
    """What is in a root that matters for a home.

    ``systemd`` is its version, ``user`` an ordinary user of its own. ``targeted`` means that
    files need the labels of SELinux's targeted policy.
    """

    livesys: str | None = None
    systemd: int | None = None
    cryptsetup: bool = False
    plymouth: bool = False
    targeted: bool = False
    user: HomeUser | None = None

    def user_without_home(self, *, overlay_used: bool) -> HomeUser | None:
        """Whose directory a new home must have; None where livesys makes the user, and with it.

        livesys does so once in the life of an overlay.
        """
        if self.livesys is not None and not overlay_used:
            return None
        return self.user or LIVE_USER


@dataclass(frozen=True, slots=True)
class Mounting:
    """A way, and why it is this one.

    ``words`` are all that the kernel line needs for it; ``missing`` those that are not in every
    entry yet. Words that ``drop`` knows must go first. ``updates`` must be on the stick.
    """

    way: HomeWay
    reason: str
    words: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    drop: Callable[[str], bool] = is_home_word
    updates: tuple[UpdateFile, ...] = ()

    @property
    def works(self) -> bool:
        """Whether there is a way at all."""
        return self.way is not HomeWay.NONE


def read_live_system(tree: FileTree) -> LiveSystem:
    """The facts of a root by its files; what cannot be read is not there."""
    return LiveSystem(
        livesys=_first(tree, _LIVESYS),
        systemd=_systemd_version(tree),
        cryptsetup=_first(tree, _CRYPTSETUP) is not None,
        plymouth=_first(tree, _PLYMOUTH) is not None,
        targeted=_first(tree, _TARGETED) is not None,
        user=read_user(tree),
    )


def choose_mounting(
    system: LiveSystem | None,
    image: Image,
    directory: str,
    *,
    encrypted: bool,
    partition: str | None = None,
) -> Mounting:
    """The best way for ``/directory/home.img`` of a medium, or for a partition; with its reason.

    :param system: None when the files of the root cannot be read.
    :param partition: the UUID of the filesystem, or of the LUKS volume, of a partition.
    """
    if system is None:
        return _no_way("the files of its root cannot be read")
    if encrypted and not system.cryptsetup:
        return _no_way("its root has no cryptsetup, which must open the home")
    place = f"/{_below(directory, 'home.img')}" if partition is None else f"UUID={partition}"
    if system.livesys is not None and _is_told_to_be_live(image):
        # livesys asks through plymouth alone (images.md 3.2).
        if not encrypted or system.plymouth:
            return _by_livesys(system.livesys, image, partition)
        without = "its livesys has no plymouth, by which it asks for a passphrase"
        return _by_our_unit(system, image, without, f"liveos.home={place}", NO_HOME)
    without = _without(system)
    if encrypted or (system.systemd or 0) < _EXTRA_SINCE:
        return _by_our_unit(system, image, without, f"liveos.home={place}")
    return _by_systemd(system, image, without, HomeWay.MOUNT_EXTRA, mount_word(place))


def mounting_of_swap(system: LiveSystem | None, image: Image, directory: str) -> Mounting:
    """The best way for ``/directory/swap.img`` of a medium, with its reason."""
    if system is None:
        return _no_way("the files of its root cannot be read")
    if system.livesys is not None and _is_told_to_be_live(image):
        reason = f"the image uses it by itself, by {system.livesys}"
        return Mounting(HomeWay.LIVESYS, reason, drop=is_swap_word)
    place, without = f"/{_below(directory, 'swap.img')}", _without(system)
    if (system.systemd or 0) < _EXTRA_SINCE:
        return _by_our_unit(system, image, without, f"liveos.swap={place}", drop=is_swap_word)
    word = f"systemd.swap-extra={LIVE_DEVICE}{place}:nofail"
    return _by_systemd(system, image, without, HomeWay.SWAP_EXTRA, word, drop=is_swap_word)


def mount_word(place: str) -> str:
    """The word on the kernel line that lets systemd mount a home (kernel-command-line(7)).

    systemd.mount(5): what may fail is mounted whenever it comes, unless it says before what.
    """
    options = "nofail,x-systemd.before=systemd-user-sessions.service"
    if place.startswith("/"):
        return f"systemd.mount-extra={LIVE_DEVICE}{place}:/home:ext4:loop,{options}"
    return f"systemd.mount-extra={place}:/home:ext4:{options}"


def _below(directory: str, name: str) -> str:
    return "/".join(filter(None, (directory.strip("/"), name)))


def _without(system: LiveSystem) -> str:
    return "it has no livesys" if system.livesys is None else "no entry has rd.live.image"


def _no_way(reason: str) -> Mounting:
    return Mounting(HomeWay.NONE, reason)


def _by_livesys(path: str, image: Image, partition: str | None) -> Mounting:
    words = () if partition is None else (f"persistenthome=UUID={partition}",)
    reason = f"the image mounts it by itself, by {path}"
    return Mounting(HomeWay.LIVESYS, reason, words, _missing(image, words))


def _by_systemd(
    system: LiveSystem,
    image: Image,
    without: str,
    way: HomeWay,
    word: str,
    drop: Callable[[str], bool] = is_home_word,
) -> Mounting:
    if image.family is not Family.DMSQUASH:
        return _no_way(f"{without}, and is not started by dracut's dmsquash-live")
    verb = "mounts" if way is HomeWay.MOUNT_EXTRA else "uses"
    reason = f"{without}; its systemd {system.systemd} {verb} what the kernel line names"
    return Mounting(way, reason, (word,), _missing(image, (word,)), drop=drop)


def _by_our_unit(
    system: LiveSystem,
    image: Image,
    without: str,
    *words: str,
    drop: Callable[[str], bool] = is_home_word,
) -> Mounting:
    if image.family is not Family.DMSQUASH:
        return _no_way(f"{without}, and is not started by dracut's dmsquash-live")
    if system.systemd is None:
        return _no_way(f"{without}, and no systemd that could start a unit of ours")
    reason = f"{without}; a unit in the directory updates of the stick does it"
    return Mounting(
        HomeWay.UPDATES,
        reason,
        words,
        _missing(image, words),
        drop=drop,
        updates=update_files(),
    )


def _missing(image: Image, words: tuple[str, ...]) -> tuple[str, ...]:
    """The words that some entry which wants a home does not have yet; all without a menu."""
    started = [
        entry
        for entry in image.entries
        if entry.live_source and not leaves_home_closed(entry.options)
    ]
    if started and all(word in entry.options for entry in started for word in words):
        return ()
    return words


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
