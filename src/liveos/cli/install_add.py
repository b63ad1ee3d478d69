# SPDX-License-Identifier: Apache-2.0
"""``liveos install --add``: what is different when the stick has images already.

The stick that this system runs from always has some: ``live`` as a target means the same.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from liveos.errors import UsageError

if TYPE_CHECKING:
    from liveos.medium.home.mounting import LiveSystem
    from liveos.medium.model import Image
    from liveos.medium.sources import Source
    from liveos.operations.install.stick import InstallRequest
    from liveos.operations.plan import Plan


def require_new_stick_alone(said: Mapping[str, bool]) -> None:
    """:raises UsageError: one of the options that are about a whole stick is given."""
    for name, is_said in said.items():
        if is_said:
            raise UsageError(
                f"{name} is about a new stick, and one that has images stays as it is",
                hint=f"leave out {name}, or make a new stick",
            )


def plan_addition(
    request: "InstallRequest", words: str, targets: list[Path], name: str | None
) -> "Plan":
    """What would be done; without a ``name`` the image is called after its source."""
    from liveos.host.target import look_at
    from liveos.medium.old_stick import OldStick, open_any_stick
    from liveos.medium.sources import find_source
    from liveos.operations.images.names import default_name
    from liveos.operations.images.plans import add, add_old

    if len(targets) > 1:
        raise UsageError("an image can be added to one stick at a time", hint="name one TARGET")
    (target,) = targets
    source = find_source(words)
    facts, system = source.medium, read_system(request, source)
    with open_any_stick(target) as stick:
        place = look_at(stick.device, facts.path)
        named = replace(request, name=name or default_name(stick, facts.label or facts.path.stem))
        if isinstance(stick, OldStick):
            return add_old.plan(named, facts, stick, place, system)
        drivers = drivers_on(stick.filesystem, source.image)
        return add.plan(named, facts, stick, place, system, drivers)


def drivers_on(filesystem: str, image: "Image | None") -> frozenset[str] | None:
    """The drivers in the initramfs of an image, where it matters that one is among them."""
    from liveos.medium.drivers import drivers_of

    return None if image is None or filesystem == "ext4" else drivers_of(image)


def read_system(
    request: "InstallRequest", source: "Source", *, home: bool = False
) -> "LiveSystem | None":
    """What the source's root holds that matters for home and swap, where one is wished.

    ``home`` means that the one of the source comes along. Whether the root goes by SELinux matters
    where the labels of a directory cannot be written.
    """
    from liveos.medium.home.locate import open_root
    from liveos.medium.home.mounting import read_live_system

    is_wished = request.home is not None or request.swap is not None or home
    if source.image is None or not (is_wished or request.filesystem.copies):
        return None
    with open_root(source.spec) as tree:
        return None if tree is None else read_live_system(tree)
