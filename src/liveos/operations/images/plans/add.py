# SPDX-License-Identifier: Apache-2.0
"""The plan of ``install --add``: an image more on a stick, whose other images stay as they are.

Everything of it lies in directories of its own, and nothing looks there until, as the last write
of all, the menu of the stick gets its line. A cut before leaves what the next run removes.
"""

from dataclasses import replace

from liveos.host.target import Target
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.model import Medium
from liveos.medium.stick import OpenStick
from liveos.operations.images.addition import addition_steps
from liveos.operations.images.deciding import (
    addition_notes,
    check_target,
    decide,
    left_on_live,
    live_rooms,
    needed_tools,
)
from liveos.operations.images.loaders import added_loaders
from liveos.operations.images.mounted import check_addition, running_notes, tools
from liveos.operations.images.names import check_new_name
from liveos.operations.images.plans.rubbish import lost_rubbish
from liveos.operations.images.room import require_esp, size_of_boot_files
from liveos.operations.images.titles import told_apart
from liveos.operations.install.filesystems import filesystem_called
from liveos.operations.install.layout_checks import check_driver
from liveos.operations.install.memory import check_memory
from liveos.operations.install.payload import Payload, choose_image
from liveos.operations.install.stick import InstallRequest
from liveos.operations.plan import Plan


def plan(
    request: InstallRequest,
    source: Medium,
    stick: OpenStick,
    target: Target,
    system: LiveSystem | None = None,
    drivers: frozenset[str] | None = None,
) -> Plan:
    """How ``source`` will come to the stick, as the image ``request.name``.

    ``drivers`` are those of its initramfs, as far as they are known.

    :raises RefusedError: the name is taken, or the stick is in use.
    :raises NoSpaceError: it does not fit; says how much is needed where.
    :raises UnsupportedError: the image cannot be installed like that.
    """

    def fitted(payload: Payload) -> Payload:
        """With titles that no other image has, and the loaders that the stick lacks."""
        own = told_apart(payload, stick.entries, request.name)
        return replace(own, loaders=added_loaders(stick, source, own))

    check_target(target)
    check_addition(request, source, stick)
    check_driver(filesystem_called(stick.filesystem), choose_image(source), drivers)
    check_memory(request)
    check_new_name(stick, request.name)
    addition = decide(request, source, stick, target, system, fitted)
    payload, name = addition.wanted.payload, request.name
    files = [file for file, _ in (*payload.boot_files, *payload.loaders)]
    esp_free = require_esp(stick, files, name, freed=_left_on_esp(stick, name))
    return Plan(
        title=f"add {source.label or source.path.name} to {stick.path} as {name}",
        steps=tuple(addition_steps(addition, stick)),
        destroys=lost_rubbish(stick, name),
        notes=(*addition_notes(addition), *running_notes(stick, left_on_live(addition))),
        needs=(*needed_tools(addition), *tools(stick)),
        layout=(
            ("free on the ESP", esp_free),
            ("free on the ESP: kernel, initramfs, loaders", payload.boot_size),
            *live_rooms(addition),
        ),
        source=source.path,
        when_it_fails=f"{stick.path} starts as before; the same command goes on, and liveos remove"
        f" {stick.path}:{name} clears what has been written",
    )


def _left_on_esp(stick: OpenStick, name: str) -> int:
    return size_of_boot_files(stick, name) if name in stick.leftovers else 0
