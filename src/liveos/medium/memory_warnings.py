# SPDX-License-Identifier: Apache-2.0
"""Overlays that the boot menu does not lead to. Codes are stable.

The initramfs looks for no overlay but the one that its kernel line names (boot-contract.md rule 2
and 1.3); what it does not find there it replaces by one in memory.
"""

import posixpath
from collections.abc import Iterable, Iterator

from liveos.medium.model import Entry, Family, Image, Medium, MediumKind, PersistenceKind
from liveos.report import Finding, Severity

# Newer name first: from 110 on it wins (boot-contract.md 1.2).
_NAMES = ("rd.overlay", "rd.live.overlay", "overlay")
_NO_DEVICE = frozenset({"", "0", "1", "no", "off", "none", "None", "NONE"})
_IN_MEMORY = "tmpfs"  # rd.overlay=tmpfs:size=…, from 111 on
_AUTO = "auto"
_READ_ONLY = frozenset({"rd.live.overlay.readonly", "rd.overlay.readonly", "readonly_overlay"})


def overlay_warnings(medium: Medium, image: Image) -> Iterator[Finding]:
    """What is wrong between an image's overlay and its boot entries."""
    started = [entry for entry in image.entries if entry.live_source]
    if image.family is not Family.DMSQUASH or not started:
        return
    named = {value for entry in started for value in (named_overlay(entry),) if value is not None}
    if image.overlay is None:
        if named and medium.kind is not MediumKind.ISO:
            yield _missing(image, min(named))
    elif image.overlay.kind is PersistenceKind.DIRECT:
        return
    elif not named:
        yield Finding(
            "overlay-not-named",
            Severity.WARNING,
            f"{image.name}: no boot entry names {image.overlay.path}, so changes are lost",
            "rd.live.overlay=UUID=…:PATH on the kernel line",
        )
    else:
        yield from _elsewhere(image, image.overlay.path, named)


def named_overlay(entry: Entry) -> str | None:
    """``DEVICE[:PATH]`` of the persistent overlay that an entry names.

    None when it names none, or by a variable of the menu.
    """
    for name in _NAMES:
        value = entry.option(name)
        if value is not None and value not in _NO_DEVICE:
            return None if value.startswith(_IN_MEMORY) or "$" in value else value
    return None


def is_read_only(entries: Iterable[Entry]) -> bool:
    """Whether the first entry that uses an overlay leaves it as it is (boot-contract.md 1.2)."""
    using = (entry for entry in entries if named_overlay(entry) is not None)
    first = next(using, None)
    return first is not None and bool(_READ_ONLY & set(first.options))


def _missing(image: Image, value: str) -> Finding:
    return Finding(
        "overlay-missing",
        Severity.WARNING,
        f"{image.name}: a boot entry names an overlay ({value}), and there is none: the system"
        " starts with one in memory, after a question on some images",
    )


def _elsewhere(image: Image, path: str, named: set[str]) -> Iterator[Finding]:
    for value in sorted(named):
        device, colon, place = value.partition(":")
        place = place.rpartition(":")[2]
        if not colon or place in {"", _AUTO}:
            continue
        if posixpath.normpath(f"/{place.lstrip('/')}").casefold() != path.casefold():
            yield Finding(
                "other-overlay-named",
                Severity.WARNING,
                f"{image.name}: a boot entry names the overlay {place} on {device}, but it lies at"
                f" {path}",
            )
