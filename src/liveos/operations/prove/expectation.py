# SPDX-License-Identifier: Apache-2.0
"""What a stick has for the image that was started, as ``inspect`` finds it."""

from dataclasses import dataclass

from liveos.medium.home.words import leaves_home_closed
from liveos.medium.installed import DEFAULT_DIRECTORY
from liveos.medium.model import Medium, Overlay, Store


@dataclass(frozen=True, slots=True)
class Expected:
    """The memory of the image that was started."""

    overlay: Overlay | None = None
    home: Store | None = None
    swap: Store | None = None


def expect(medium: Medium | None, cmdline: str) -> Expected:
    """What the image that a boot line starts has on the stick; nothing where that is not known."""
    directory = started_directory(cmdline)
    for image in medium.images if medium is not None else ():
        if image.name == directory:
            home = None if leaves_home_closed(cmdline.split()) else image.home
            return Expected(image.overlay, home, image.swap)
    return Expected()


def started_directory(cmdline: str) -> str:
    """The directory of the image that a boot line starts."""
    words = [word.partition("=") for word in cmdline.split()]
    directories = [value for name, _, value in words if name in {"rd.live.dir", "live_dir"}]
    return directories[-1].strip("/") if directories else DEFAULT_DIRECTORY


def image_problems(cmdline: str, image: str | None) -> list[str]:
    """A sentence where another image was started than the one that is named."""
    started = started_directory(cmdline)
    if image is None or started.casefold() == image.casefold():
        return []
    return [f"the menu started the image {started}, not {image}"]


def has_encrypted_home(medium: Medium | None) -> bool:
    """Whether somebody will be asked for a passphrase."""
    images = medium.images if medium is not None else ()
    return any(image.home is not None and bool(image.home.encrypted) for image in images)
