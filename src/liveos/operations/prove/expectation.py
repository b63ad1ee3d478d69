# SPDX-License-Identifier: Apache-2.0
"""What a stick has for the image that was started, as ``inspect`` finds it."""

from dataclasses import dataclass

from liveos.formats.identify import Kind
from liveos.medium.installed import DEFAULT_DIRECTORY
from liveos.medium.model import Medium, Overlay, Partition

HOME_PARTITION = "HOME"
"""The name that a partition for homes has in the GPT of a stick."""


@dataclass(frozen=True, slots=True)
class ExpectedHome:
    """A home: a ``file`` on the stick, or the partition that is named ``HOME``."""

    encrypted: bool
    file: str | None = None

    def __str__(self) -> str:
        return self.file or f"the partition {HOME_PARTITION}"


@dataclass(frozen=True, slots=True)
class Expected:
    """The memory of the image that was started. Swap is the path of a file."""

    overlay: Overlay | None = None
    home: ExpectedHome | None = None
    swap: str | None = None


def expect(medium: Medium | None, cmdline: str) -> Expected:
    """What the image that a boot line starts has on the stick; nothing where that is not known."""
    words = [word.partition("=") for word in cmdline.split()]
    directories = [value for name, _, value in words if name in {"rd.live.dir", "live_dir"}]
    name = directories[-1].strip("/") if directories else DEFAULT_DIRECTORY
    image = next((each for each in (medium.images if medium else ()) if each.name == name), None)
    if medium is None or image is None:
        return Expected()
    home = _home_partition(medium.partitions)
    if image.home is not None:
        home = ExpectedHome(bool(image.home.encrypted), image.home.path)
    return Expected(image.overlay, home, image.swap.path if image.swap else None)


def has_home(medium: Medium | None) -> bool:
    """Whether an image of the stick has a home of its own."""
    return bool(_homes(medium))


def has_encrypted_home(medium: Medium | None) -> bool:
    """Whether somebody will be asked for a passphrase."""
    return any(home.encrypted for home in _homes(medium))


def _homes(medium: Medium | None) -> list[ExpectedHome]:
    if medium is None:
        return []
    partition = _home_partition(medium.partitions)
    files = [image.home for image in medium.images if image.home is not None]
    homes = [ExpectedHome(bool(file.encrypted), file.path) for file in files]
    return homes if partition is None else [*homes, partition]


def _home_partition(partitions: tuple[Partition, ...]) -> ExpectedHome | None:
    named = (each for each in partitions if each.name == HOME_PARTITION)
    found = next(named, None)
    return None if found is None else ExpectedHome(found.filesystem == Kind.LUKS)
