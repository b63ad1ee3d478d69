# SPDX-License-Identifier: Apache-2.0
"""Menus of legacy GRUB: ``grub.conf`` and ``bootx64.conf`` of Fedora 10 to 17 on EFI.

The language is that of the GRUB 0.97 manual: directives before the first ``title`` are for the
whole menu, those after it for that entry.
"""

import re
from dataclasses import dataclass, field

from liveos.medium.menus import text
from liveos.medium.model import Entry, Firmware, Menu

_DIRECTIVE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+|$)(.*)")


@dataclass(slots=True)
class _Title:
    """A ``title`` block while its lines are read."""

    title: str
    kernel: list[str] = field(default_factory=list)
    initrd: list[str] = field(default_factory=list)
    modules: list[list[str]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def parse(menu: str, path: str, *, firmware: Firmware = Firmware.UEFI) -> Menu:
    """The menu in the text of the file ``path``."""
    settings: dict[str, str] = {}
    titles: list[_Title] = []
    for line in menu.splitlines():
        directive = _DIRECTIVE.match(line)
        if directive is None:
            continue
        keyword, value = directive[1].lower(), directive[2].strip()
        if keyword == "title" and len(titles) < text.MOST_ENTRIES:
            titles.append(_Title(value))
        elif titles:
            _directive(titles[-1], keyword, value)
        else:
            settings[keyword] = value
    chosen = _number(settings.get("default", ""))
    default = 0 if chosen is None or chosen >= len(titles) else chosen
    entries = tuple(
        _entry(title, path, firmware, default=index == default)
        for index, title in enumerate(titles)
    )
    return Menu(path, firmware, entries, _number(settings.get("timeout", "")))


def _directive(title: _Title, keyword: str, value: str) -> None:
    words = text.kernel_words(value)
    if keyword == "kernel":
        title.kernel = [word for word in words if not word.startswith("--")]
    elif keyword == "initrd":
        title.initrd = words
    elif keyword in {"module", "modulenounzip"} and words:
        title.modules.append(words)
    elif keyword in {"chainloader", "configfile", "reboot", "halt"}:
        title.other = [keyword, *words]


def _entry(title: _Title, path: str, firmware: Firmware, *, default: bool) -> Entry:
    hypervisor: list[str] = []
    kernel, initrd = title.kernel, title.initrd
    if kernel and title.modules:  # a multiboot kernel, whose first module is Linux
        hypervisor, kernel = kernel, title.modules[0]
        initrd = [module[0] for module in title.modules[1:]]
    command, *others = ["kernel"] if kernel else title.other or ["none"]
    return Entry(
        title=title.title,
        firmware=firmware,
        menu=path,
        label=None,
        kernel=text.medium_path(kernel[0]) if kernel else None,
        initrd=tuple(text.medium_path(name) for name in initrd),
        options=tuple(kernel[1:] if kernel else others),
        command=command,
        default=default,
        hypervisor=text.medium_path(hypervisor[0]) if hypervisor else None,
        hypervisor_options=tuple(hypervisor[1:]),
    )


def _number(value: str) -> int | None:
    return int(value[:9]) if value.isdecimal() else None
