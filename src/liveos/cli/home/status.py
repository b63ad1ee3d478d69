# SPDX-License-Identifier: Apache-2.0
"""``liveos home status``: what home an image has, and how it gets mounted."""

from typing import TYPE_CHECKING, Any

from liveos.cli.home.options import Stick
from liveos.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from liveos.medium.home.status import HomeStatus


def status(output: Output, stick: Stick) -> None:
    """Show the home of an image: its kind, size and keys, and what mounts it at boot."""
    from liveos.medium.home.locate import open_home
    from liveos.medium.home.status import home_status

    with open_home(stick) as found:
        facts = home_status(found)
    if output.as_json:
        output.document("home-status", document(facts))
    else:
        output.show(*status_view(facts))


def document(facts: "HomeStatus") -> dict[str, Any]:
    """The status as scripts get it; sizes are bytes."""
    luks = facts.luks
    return {
        "path": facts.path,
        "image": facts.image,
        "kind": facts.kind,
        "size": facts.size,
        "filesystem": facts.filesystem,
        "label": facts.label,
        "uuid": facts.uuid,
        "used_size": facts.used_size,
        "luks": luks
        and {
            "version": luks.version,
            "cipher": luks.cipher,
            "sector_size": luks.sector_size,
            "offset": luks.offset,
            "key_slots": [{"number": slot.number, "kdf": slot.kdf} for slot in luks.key_slots],
            "unfinished": luks.unfinished,
        },
        "mounting": {
            "way": facts.mounting.way,
            "reason": facts.mounting.reason,
            "words": list(facts.mounting.words),
        },
        "warnings": [
            {"code": each.code, "severity": each.severity, "message": each.message,
             "repair": each.repair}
            for each in facts.warnings
        ],
    }  # fmt: skip


def status_view(facts: "HomeStatus") -> "Iterator[RenderableType]":
    """The status for people."""
    from rich.text import Text

    from liveos.cli.overlay.status_view import Rows
    from liveos.cli.render import findings, words

    yield Text(words(facts.path), "bold")
    yield Rows(list(_rows(facts)))
    yield from findings(facts.warnings)


def _rows(facts: "HomeStatus") -> "Iterator[tuple[str, str]]":
    from liveos.cli.render import size, words

    if facts.kind is None:
        yield "home", f"none: the image {words(facts.image)} keeps /home in its overlay, if at all"
        yield "would mount", facts.mounting.reason
        return
    yield "kind", facts.kind if facts.filesystem is None else f"{facts.kind}, {facts.filesystem}"
    used = "" if facts.used_size is None else f", {size(facts.used_size)} of it in use"
    yield "size", f"{size(facts.size)}{used}"
    if facts.luks is not None:
        luks = facts.luks
        yield "encryption", f"LUKS{luks.version}, {words(luks.cipher)}, {luks.sector_size} bytes"
        slots = ", ".join(f"{slot.number} ({words(slot.kdf)})" for slot in luks.key_slots)
        yield "key slots", slots or "none: nothing opens it"
    yield "at boot", facts.mounting.reason
    if facts.mounting.missing:
        yield "kernel line", " ".join(facts.mounting.missing)
