# SPDX-License-Identifier: Apache-2.0
"""Menus of SYSLINUX, ISOLINUX and EXTLINUX: ``isolinux.cfg`` and its like.

The language is that of SYSLINUX's ``doc/syslinux.txt`` and ``doc/menu.txt``: keywords without
regard to case, one directive per line, labels that may repeat (images.md 1.1), paths relative to
the directory of the file that started the menu.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from liveos.medium.menus import text
from liveos.medium.model import Entry, Firmware, Menu

# What SYSLINUX starts by these endings is a program or a boot sector, not a kernel.
_NO_KERNELS = (".c32", ".com", ".cbt", ".bin", ".bs", ".bss", ".0", ".img")
# What shows the menu in another file; it runs in the directory that the first menu ran in.
_MENU_PROGRAMS = frozenset({"menu.c32", "vesamenu.c32"})
_KERNEL_VERBS = frozenset({"kernel", "linux", "boot", "bss", "pxe", "fdimage", "com32", "config"})


@dataclass(slots=True)
class _Label:
    """A ``label`` block while its lines are read."""

    name: str
    submenu: tuple[str, ...]
    title: str | None = None
    verb: str = ""
    kernel: str = ""
    append: str | None = None
    initrd: str | None = None
    is_default: bool = False


@dataclass(slots=True)
class _State:
    """Everything a menu has said so far."""

    labels: list[_Label] = field(default_factory=list)
    submenu: tuple[str, ...] = ()
    in_label: bool = False
    append: str = ""
    default: str | None = None
    ontimeout: str | None = None
    timeout: float | None = None

    @property
    def label(self) -> _Label | None:
        return self.labels[-1] if self.in_label else None


def parse(
    menu: str,
    path: str,
    *,
    firmware: Firmware = Firmware.BIOS,
    read: text.ReadMenu = text.read_nothing,
) -> Menu:
    """The menu in the text of the file ``path``.

    What it includes is read, and so are menus that an entry shows by ``menu.c32`` and its like.
    """
    reading = _Reading(posixpath.dirname(path), firmware, read, {path})
    state, entries = _read_file(reading, menu, path)
    return Menu(path, firmware, entries, state.timeout, tuple(reading.missing))


@dataclass(slots=True)
class _Reading:
    """What the files of one menu share: where they are read, and which have been."""

    directory: str
    firmware: Firmware
    read: text.ReadMenu
    seen: set[str]
    missing: list[str] = field(default_factory=list)


def _read_file(reading: _Reading, menu: str, path: str) -> tuple[_State, tuple[Entry, ...]]:
    """What a file says, and its entries with those of the menus that they lead to."""
    state = _State()
    for line in _lines(menu, reading.directory, reading.read, reading.missing):
        keyword, _, rest = line.replace("\t", " ").partition(" ")
        _directive(state, keyword.lower(), rest.strip())
    found = [(label, _entry(label, state.append, reading.directory)) for label in state.labels]
    kept = [(label, entry) for label, entry in found if entry is not None]
    default = _default(state, [label for label, _ in kept])
    entries: list[Entry] = []
    for index, (_, entry) in enumerate(kept):
        own = replace(entry, firmware=reading.firmware, menu=path, default=index == default)
        entries += _followed(reading, own) or (own,)
    return state, tuple(entries[: text.MOST_ENTRIES])


def _followed(reading: _Reading, entry: Entry) -> tuple[Entry, ...]:
    """The entries of the menu that an entry shows instead, below its title.

    Of one that is shown already (``Return to main menu``), and of none, nothing.
    """
    if entry.command not in _MENU_PROGRAMS or len(entry.options) != 1:
        return ()
    path = text.medium_path(entry.options[0], reading.directory)
    if path in reading.seen or len(reading.seen) > text.MOST_DEPTH:
        return ()
    reading.seen.add(path)
    content = reading.read(path)
    if content is None:
        if entry.options[0] != "~":
            reading.missing.append(path)
        return ()
    _, entries = _read_file(reading, content, path)
    around = (*entry.submenu, entry.title)
    return tuple(
        replace(
            each,
            submenu=(*around, *each.submenu)[: text.MOST_DEPTH],
            default=each.default and entry.default,
        )
        for each in entries
    )


def _lines(menu: str, directory: str, read: text.ReadMenu, missing: list[str]) -> Iterator[str]:
    """The directives of a menu and of the files that it includes, without help texts."""
    files = lines = 0
    in_help = False
    stack = [iter(menu.splitlines())]
    while stack and lines < text.MOST_LINES:
        lines += 1
        line = next(stack[-1], None)
        if line is None:
            stack.pop()
            continue
        line = line.strip()
        in_help = bool(re.match(r"(?i)text\s+help", line)) or (
            in_help and not re.match(r"(?i)endtext", line)
        )
        included = re.match(r"(?i)(?:menu\s+)?include\s+(\S+)", line)
        if included and files < text.MOST_FILES and len(stack) < text.MOST_DEPTH:
            files += 1
            other = text.medium_path(included[1], directory)
            content = read(other)
            if content is None:
                missing.append(other)
            else:
                stack.append(iter(content.splitlines()))
        elif line and not in_help and not line.startswith("#"):
            yield line


def _directive(state: _State, keyword: str, rest: str) -> None:
    if keyword == "menu":
        _menu_directive(state, rest)
    elif keyword == "label":
        state.in_label = len(state.labels) < text.MOST_ENTRIES
        if state.in_label:
            state.labels.append(_Label(rest, state.submenu))
    elif keyword in {"default", "ontimeout"}:
        setattr(state, keyword, rest.partition(" ")[0])
    elif keyword == "timeout" and rest.isdecimal():
        state.timeout = int(rest[:9]) / 10
    elif state.label is not None:
        _label_directive(state.label, keyword, rest)
    elif keyword == "append":
        state.append = rest


def _label_directive(label: _Label, keyword: str, rest: str) -> None:
    if keyword in _KERNEL_VERBS or keyword == "localboot":
        label.verb, label.kernel = keyword, rest
    elif keyword == "append":
        label.append = rest
    elif keyword == "initrd":
        label.initrd = rest


def _menu_directive(state: _State, rest: str) -> None:
    keyword, _, value = rest.partition(" ")
    keyword, value = keyword.lower(), value.strip()
    label = state.label
    if keyword == "begin":
        state.in_label = False
        state.submenu = (*state.submenu, value.replace("^", ""))[: text.MOST_DEPTH]
    elif keyword == "end":
        state.in_label = False
        state.submenu = state.submenu[:-1]
    elif keyword == "title" and state.submenu and label is None:
        state.submenu = (*state.submenu[:-1], value.replace("^", ""))
    elif keyword == "label" and label is not None:
        label.title = value.replace("^", "")
    elif keyword == "default" and label is not None:
        label.is_default = True


def _entry(label: _Label, common: str, directory: str) -> Entry | None:
    """The entry that a label describes; None when it starts nothing (``menu exit``)."""
    if not label.verb:
        return None
    entry = Entry(
        title=label.title or label.name,
        firmware=Firmware.BIOS,
        menu="",
        label=label.name,
        kernel=None,
        initrd=(),
        options=(),
        submenu=label.submenu,
    )
    append = common if label.append is None else label.append
    words = text.kernel_words("" if append == "-" else append)
    return _started(entry, label, words, directory)


def _started(entry: Entry, label: _Label, words: list[str], directory: str) -> Entry:
    """What the verb of a label and its words start."""
    target = label.kernel.partition(" ")[0]
    program = posixpath.basename(target).lower()
    if program == "mboot.c32":
        return _multiboot(entry, words, directory)
    if label.verb == "localboot":
        return replace(entry, command="localboot", options=(label.kernel,))
    if label.verb not in {"kernel", "linux"}:
        return replace(entry, command=label.verb, options=(label.kernel, *words))
    if label.verb == "kernel" and program.endswith(_NO_KERNELS):
        return replace(entry, command=program, options=tuple(words))
    in_words = [word[7:] for word in words if word.startswith("initrd=")]
    named = label.initrd or "".join(in_words[-1:])
    return replace(
        entry,
        kernel=text.medium_path(target, directory),
        initrd=tuple(text.medium_path(name, directory) for name in named.split(",") if name),
        options=tuple(word for word in words if not word.startswith("initrd=")),
        command=label.verb,
    )


def _multiboot(entry: Entry, words: list[str], directory: str) -> Entry:
    """``mboot.c32`` starts a hypervisor; ``---`` stands between it and each module."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "---":
            parts.append([])
        else:
            parts[-1].append(word)
    modules = [part for part in parts if part]
    if len(modules) < 2:
        return replace(entry, command="mboot.c32", options=tuple(words))
    hypervisor, kernel, *others = modules
    return replace(
        entry,
        command="mboot.c32",
        kernel=text.medium_path(kernel[0], directory),
        options=tuple(kernel[1:]),
        initrd=tuple(text.medium_path(other[0], directory) for other in others),
        hypervisor=text.medium_path(hypervisor[0], directory),
        hypervisor_options=tuple(hypervisor[1:]),
    )


def _default(state: _State, labels: list[_Label]) -> int | None:
    """What starts when nobody touches a key: by timeout, by mark, by name, or the first."""
    names = [label.name for label in labels]
    if state.ontimeout in names:
        return names.index(state.ontimeout)
    for index, label in enumerate(labels):
        if label.is_default and not label.submenu:
            return index
    if state.default in names:
        return names.index(state.default)
    return 0 if labels else None
