# SPDX-License-Identifier: Apache-2.0
"""Menus of GRUB 2: ``grub.cfg``, run far enough to know which entries it shows.

Variables, platform tests, ``source`` and ``configfile`` are carried out; where a condition
cannot be known from the medium alone (is a key held? does a font load?), both branches count.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from liveos.medium.menus import text
from liveos.medium.menus.grub_entry import Started
from liveos.medium.menus.grub_script import Block, Command, Conditional, Word
from liveos.medium.menus.grub_script import parse as parse_script
from liveos.medium.menus.grub_test import evaluate
from liveos.medium.model import Entry, Firmware, Menu

_PLATFORM = {
    Firmware.BIOS: {"grub_platform": "pc", "grub_cpu": "i386"},
    Firmware.UEFI: {"grub_platform": "efi", "grub_cpu": "x86_64"},
}
# What a script may run in all: loops of files that name each other end here.
_MOST_COMMANDS = 100_000
_DEEPEST = 2 * text.MOST_DEPTH


@dataclass(slots=True, eq=False)
class _Item:
    """An item of a menu: an entry, or a submenu with ``items``."""

    title: str
    id: str | None
    entry: Entry | None = None
    items: list["_Item"] = field(default_factory=list)


def parse(
    menu: str, path: str, *, firmware: Firmware, read: text.ReadMenu = text.read_nothing
) -> Menu:
    """The menu that the text of the file ``path`` shows under ``firmware``."""
    reader = _Reader(path, firmware, read)
    reader.run_file(menu, path)
    default = _find_default(reader.items, reader.variables.get("default", ""))
    timeout = reader.variables.get("timeout", "")
    return Menu(
        path,
        firmware,
        tuple(_flatten(reader.items, default, ())),
        int(timeout[:9]) if timeout.isdecimal() else None,
        tuple(reader.missing),
    )


class _Reader:
    """Carries a script out: keeps variables, collects items."""

    def __init__(self, path: str, firmware: Firmware, read: text.ReadMenu) -> None:
        self.items: list[_Item] = []
        self.missing: list[str] = []
        # A loader finds its menu in its own directory or in $prefix, so both are that one.
        directory = path.rpartition("/")[0]
        self.variables = {
            **_PLATFORM[firmware],
            "prefix": directory,
            "cmdpath": directory,
            "menuentry_id_option": "--id",
        }
        self._firmware = firmware
        self._read = read
        self._path = path
        self._depth = self._files = self._ran = 0
        self._text_left = text.MOST_TEXT
        self._started: Started | None = None
        self._commands: dict[str, Callable[[Command], bool | None]] = {
            "set": self._set,
            "menuentry": self._menuentry,
            "submenu": self._submenu,
            "source": self._source,
            ".": self._source,
            "configfile": self._configfile,
            "[": self._test,
            "test": self._test,
            "true": lambda _: True,
            "false": lambda _: False,
        }

    def run_file(self, script: str, path: str) -> None:
        """Run a menu file; all of them together are no longer than one may be."""
        outer, self._path = self._path, path
        script = script[: self._text_left]
        self._text_left -= len(script)
        self._run(parse_script(script))
        self._path = outer

    def _run(self, block: Block) -> bool | None:
        """Carry a block out; how its last command ended, None when nobody can know."""
        ended: bool | None = True
        self._depth += 1
        # Past the deepest menu nothing more is run; the depth is that of this call stack, too.
        for statement in block if self._depth < _DEEPEST else ():
            if isinstance(statement, Conditional):
                self._choose(statement)
            elif (statement.joint, ended) not in {("&&", False), ("||", True)}:
                ended = self._command(statement)
        self._depth -= 1
        return ended

    def _choose(self, statement: Conditional) -> None:
        for condition, block in statement.branches:
            held = self._run(condition)
            if held is not False:
                self._run(block)
            if held:
                return
        self._run(statement.otherwise)

    def _command(self, command: Command) -> bool | None:
        self._ran += 1
        if self._ran > _MOST_COMMANDS:
            return None
        name, words = command.name, command.words[1:]
        if self._started is not None and self._started.take(name, words, self.variables):
            return True
        if name in self._commands:
            return self._commands[name](command)
        return self._assign(command.words[0]) if command.words and "=" in name else None

    def _set(self, command: Command) -> bool:
        for word in command.words[1:]:
            self._assign(word)
        return True

    def _assign(self, word: Word) -> bool:
        name, _, value = word.expand(self.variables).partition("=")
        if len(self.variables) < text.MOST_ENTRIES:
            self.variables[name] = value
        return True

    def _test(self, command: Command) -> bool | None:
        words = [word.expand(self.variables) for word in command.words[1:]]
        return evaluate(words[:-1] if command.name == "[" else words)

    def _source(self, command: Command) -> None:
        for script, path in self._other_file(command):
            self.run_file(script, path)

    def _configfile(self, command: Command) -> None:
        """Another file's menu instead of this one's; without entries, this one's stays."""
        for script, path in self._other_file(command):
            outer, self.items = self.items, []
            self.run_file(script, path)
            self.items = self.items or outer

    def _other_file(self, command: Command) -> Iterator[tuple[str, str]]:
        """The text and path of the file that a command names, unless that leads too deep."""
        if len(command.words) < 2 or self._files >= text.MOST_FILES:
            return
        self._files += 1
        path = text.medium_path(command.words[-1].expand(self.variables))
        script = self._read(path)
        if script is None:
            self.missing.append(path)
        else:
            yield script, path

    def _submenu(self, command: Command) -> None:
        item = self._item(command)
        outer, self.items = self.items, item.items
        self._in_block(command)
        self.items = outer
        self.items.append(item)

    def _menuentry(self, command: Command) -> None:
        if self._started is not None or self._ran > _MOST_COMMANDS:
            return
        item = self._item(command)
        self._started = Started()
        self._in_block(command)
        item.entry = self._started.entry(item.title, item.id, self._firmware, self._path)
        self._started = None
        self.items.append(item)

    def _item(self, command: Command) -> _Item:
        """Title and identifier; the other options of ``menuentry`` do not matter here."""
        words = [word.expand(self.variables) for word in command.words[1:]]
        identifier = words[words.index("--id") + 1 :][:1] if "--id" in words else []
        return _Item(words[0] if words else "", identifier[0] if identifier else None)

    def _in_block(self, command: Command) -> None:
        """Run a block whose variables end with it."""
        outer = dict(self.variables)
        self._run(command.block or ())
        self.variables = outer


def _flatten(
    items: list[_Item], default: _Item | None, submenu: tuple[str, ...]
) -> Iterator[Entry]:
    for item in items:
        if item.entry is not None:
            yield replace(item.entry, submenu=submenu, default=item is default)
        yield from _flatten(item.items, default, (*submenu, item.title))


def _find_default(items: list[_Item], default: str) -> _Item | None:
    """The item that ``$default`` means: a number, title or identifier, with ``>`` between.

    GRUB takes the first item for a default that does not exist.
    """
    if not items:
        return None
    first, _, rest = default.partition(">")
    chosen = items[0]
    if first.isdecimal() and int(first[:9]) < len(items):
        chosen = items[int(first[:9])]
    for item in items:
        if first and first in {item.title, item.id}:
            chosen = item
    return chosen if chosen.entry is not None else _find_default(chosen.items, rest)
