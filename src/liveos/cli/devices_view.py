# SPDX-License-Identifier: Apache-2.0
"""Block devices as a table, with what is on each below it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from liveos.cli.render import size, table, words

if TYPE_CHECKING:
    from liveos.host.block.device import BlockDevice
    from liveos.operations.install.candidates import Candidate


def devices_view(found: "list[Candidate]") -> Iterator[RenderableType]:
    """The parts of the view in order: what can be written to comes first."""
    if not found:
        yield Text("no device that can become a stick")
        return
    usable = [each for each in found if each.refusal is None]
    refused = [each for each in found if each.refusal is not None]
    if usable:
        yield _table(usable)
    if refused:
        yield Text("\nrefused" if usable else "refused", "bold")
        yield _table(refused)


def _table(found: "list[Candidate]") -> RenderableType:
    lines = table("device", "size", "bus", "model", "serial", "contents", right=["size"])
    for each in found:
        device = each.device
        lines.add_row(
            words(str(device.path)),
            size(device.size) if device.size else "-",
            words(device.bus),
            words(device.model),
            words(device.serial),
            _reason(each) if each.refusal else "\n".join(_contents(each)),
        )
    return lines


def _reason(found: "Candidate") -> Text:
    assert found.refusal is not None
    return Text(words(found.refusal.message.removeprefix(f"{found.device.path} ")), "yellow")


def _contents(found: "Candidate") -> Iterator[str]:
    """One line for each image; without images, one for each filesystem that udev knows."""
    if found.images:
        for image in found.images:
            yield words(f"{image.name}: {image.title}" if image.title else image.name)
        return
    yield from list(_filesystems(found.device)) or ["nothing known"]


def _filesystems(device: "BlockDevice") -> Iterator[str]:
    if device.filesystem:
        yield _filesystem(device.filesystem, device.label)
    for part in device.parts:
        yield f"{size(part.size)} {_filesystem(part.filesystem, part.label or part.name)}"


def _filesystem(kind: str | None, label: str | None) -> str:
    return words(f'{kind or "nothing known"} "{label}"' if label else kind or "nothing known")
