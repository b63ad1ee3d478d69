# SPDX-License-Identifier: Apache-2.0
"""What is said against wishes for memory, and how the running system comes to use home and swap."""

from collections.abc import Iterator
from dataclasses import replace

from liveos.errors import UnsupportedError, UsageError
from liveos.medium.home.mounting import (
    LiveSystem,
    Mounting,
    choose_mounting,
    mounting_of_swap,
)
from liveos.medium.model import Image, PersistenceKind
from liveos.operations.install.sizes import AUTO
from liveos.operations.install.stick import InstallRequest, UsedAtBoot

_MIB = 1 << 20


def check_memory(request: InstallRequest) -> None:
    """:raises UsageError: two wishes contradict each other, whatever the image is."""
    for problem in _contradictions(request):
        raise problem


def _contradictions(request: InstallRequest) -> Iterator[UsageError]:
    if request.overlay is None and request.overlay_kind is not None:
        yield UsageError(
            f"without an overlay there is none of the kind {request.overlay_kind}",
            hint="leave out --overlay none, or --overlay-kind",
        )
    if request.overlay is None and request.readonly:
        yield UsageError(
            "without an overlay there is none to be used read-only",
            hint="leave out --overlay none, or --read-only-overlay",
        )
    if request.overlay_kind is PersistenceKind.DIRECT and request.overlay is not AUTO:
        yield UsageError(
            "a root that is written through has the size that its filesystem has",
            hint="leave out --overlay",
        )
    if request.temporary is not None and request.temporary % _MIB:
        yield UsageError(
            f"a temporary overlay of {request.temporary} bytes does not consist of whole MiB",
            hint="write a size like 512M",
        )


def at_boot(request: InstallRequest, image: Image, system: LiveSystem | None) -> UsedAtBoot:
    """How home and swap will be used.

    :raises UnsupportedError: the image would use one of them in no way.
    """
    # Its entries say nothing: the installed ones all tell userspace that this is a live system.
    installed = replace(image, entries=())
    home = None if request.home is None else _home(request, installed, system)
    swap = None
    if request.swap is not None:
        swap = mounting_of_swap(system, installed, request.name)
        if not swap.works:
            raise UnsupportedError(
                f"{image.name} would not use swap.img: {swap.reason}", hint="leave out --swap"
            )
    # With a new overlay, the first boot is one that makes a user, if the image does so at all.
    user = None if system is None else system.user_without_home(overlay_used=False)
    return UsedAtBoot(home, swap, user=user, targeted=system is None or system.targeted)


def _home(request: InstallRequest, image: Image, system: LiveSystem | None) -> Mounting:
    assert request.home is not None
    ids, encrypted = request.identities, request.home.encrypted
    uuid = str(ids.home_luks if encrypted else ids.home_filesystem)
    partition = uuid if request.home.partition else None

    def mounting(*, encrypted: bool) -> Mounting:
        return choose_mounting(
            system, image, request.name, encrypted=encrypted, partition=partition
        )

    chosen = mounting(encrypted=encrypted)
    if not chosen.works:
        plainly = encrypted and mounting(encrypted=False).works
        raise UnsupportedError(
            f"{image.name} would not mount a home: {chosen.reason}",
            hint="a plain one could be mounted: --plain-home" if plainly else "leave out --home",
        )
    return chosen
