# SPDX-License-Identifier: Apache-2.0
"""Whether a home is mounted at boot and swap enabled, as far as the stick tells. Codes are stable.

Only for images that have a home or swap, as the files of the root are looked into for it.
"""

from collections.abc import Iterator

from liveos.formats.binary import FormatError
from liveos.medium.home.mounting import (
    LiveSystem,
    Mounting,
    choose_mounting,
    mounting_of_swap,
    read_live_system,
)
from liveos.medium.home.updates import DIRECTORY
from liveos.medium.model import Image, Store
from liveos.medium.overlay.origin import origin_in
from liveos.medium.payloads import Payload
from liveos.report import Finding, Severity


def use_findings(payload: Payload, image: Image) -> Iterator[Finding]:
    """What is missing for the home and the swap of an image to be used."""
    if image.home is None and image.swap is None:
        return
    system = _live_system(payload)
    if image.home is not None:
        mounting = _mounting(system, image, payload.directory, image.home)
        yield from _findings("home-not-mounted", payload, image, image.home, mounting)
    if image.swap is not None:
        mounting = mounting_of_swap(system, image, payload.directory)
        yield from _findings("swap-not-used", payload, image, image.swap, mounting)


def _live_system(payload: Payload) -> LiveSystem | None:
    try:
        tree = origin_in(payload.volume, payload.node).tree
    except FormatError:
        return None
    return None if tree is None else read_live_system(tree)


def _mounting(system: LiveSystem | None, image: Image, directory: str, home: Store) -> Mounting:
    return choose_mounting(
        system,
        image,
        directory,
        encrypted=bool(home.encrypted),
        partition=None if home.partition is None else home.uuid,
    )


def _findings(
    code: str, payload: Payload, image: Image, store: Store, mounting: Mounting
) -> Iterator[Finding]:
    where = store.path if store.partition is None else f"{image.name}: {store.path}"
    if not mounting.works:
        yield Finding(code, Severity.WARNING, f"{where}: nothing uses it: {mounting.reason}")
        return
    if mounting.missing and any(entry.live_source for entry in image.entries):
        yield Finding(
            code,
            Severity.WARNING,
            f"{where}: a boot entry does not use it: {mounting.reason}",
            f"add to its kernel line: {' '.join(mounting.missing)}",
        )
    absent = [
        f"{DIRECTORY}/{file.path}"
        for file in mounting.updates
        if payload.volume.find_file(f"/{DIRECTORY}/{file.path}") is None
    ]
    if absent:
        yield Finding(
            code,
            Severity.WARNING,
            f"{where}: nothing uses it: {', '.join(absent)} must be beside the image",
        )
