# SPDX-License-Identifier: Apache-2.0
"""The block devices of this machine, each with what speaks against writing to it."""

from collections.abc import Iterator
from dataclasses import dataclass

from liveos.errors import LiveosError
from liveos.host.block.device import BlockDevice, devices
from liveos.host.block.machine import Machine
from liveos.medium.devices import FoundImage, images_on
from liveos.operations.install.device_refusals import device_refusal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device, why it is refused if it is, and the images on it where they could be read."""

    device: BlockDevice
    refusal: LiveosError | None
    images: tuple[FoundImage, ...] | None


def candidates(machine: Machine, *, allow_fixed: bool, refused_too: bool) -> Iterator[Candidate]:
    """What can become a stick; with ``refused_too`` the rest, too, of which nothing is read."""
    for device in devices(machine):
        refusal = device_refusal(device, allow_fixed=allow_fixed)
        if refusal is None or refused_too:
            images = images_on(device) if refusal is None else None
            yield Candidate(device, refusal, images)
