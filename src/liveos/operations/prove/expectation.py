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
    words = [word.partition("=") for word in cmdline.split()]
    directories = [value for name, _, value in words if name in {"rd.live.dir", "live_dir"}]
    directory = directories[-1].strip("/") if directories else DEFAULT_DIRECTORY
    for image in medium.images if medium is not None else ():
        if image.name == directory:
            home = None if leaves_home_closed(cmdline.split()) else image.home
            return Expected(image.overlay, home, image.swap)
    return Expected()


def has_encrypted_home(medium: Medium | None) -> bool:
    """Whether somebody will be asked for a passphrase."""
    images = medium.images if medium is not None else ()
    return any(image.home is not None and bool(image.home.encrypted) for image in images)
