# SPDX-License-Identifier: Apache-2.0
"""New texts for the menu of a stick: one line for each image, and no other byte changes.

GRUB's menu and that of SYSLINUX differ in that line, and in how they say what starts by itself:
GRUB counts all entries, SYSLINUX names the label of one.
"""

import re
from dataclasses import dataclass

from liveos.operations.menus import syslinux_text, text

_ANY = r"[^/\s]+"


@dataclass(frozen=True, slots=True)
class MenuLanguage:
    """How a menu says both: ``line`` is for the image ``{}``, and so is ``starts``.

    ``started`` finds what ``starts`` says, with the number of the entry as its only group.
    """

    line: str
    starts: str
    started: str

    def with_image(self, menu: str, name: str) -> str:
        """With an image more, behind the others."""
        lines = list(self._lines(_ANY).finditer(menu))
        if not lines:
            menu = self._starting(menu, name)
        end = lines[-1].end() if lines else len(menu)
        before = menu[:end]
        if before and not before.endswith("\n"):
            before += "\n"
        return before + self._line(name) + menu[end:]

    def without_image(self, menu: str, name: str) -> str:
        """Without an image; numbers may mean other entries then, so the first starts by itself."""
        rest = self._lines(re.escape(name)).sub("", menu)
        first = self._lines(_ANY).search(rest)
        return rest if first is None else self._starting(rest, first[1])

    def with_first(self, menu: str, name: str) -> str:
        """With an image before all others, whose first entry starts by itself."""
        rest = self._lines(re.escape(name)).sub("", menu)
        first = self._lines(_ANY).search(rest)
        start = first.start() if first else len(rest)
        return self._starting(rest[:start] + self._line(name) + rest[start:], name)

    def with_name(self, menu: str, old: str, new: str) -> str:
        """With another name for an image, in its place."""
        renamed = self._lines(re.escape(old)).sub(lambda _: self._line(new), menu)
        return self._default(re.escape(old)).sub(
            lambda found: self.starts.format(new, found[1]), renamed
        )

    def _starting(self, menu: str, name: str) -> str:
        return self._default(_ANY).sub(lambda _: self.starts.format(name, 0), menu, count=1)

    def _default(self, name: str) -> re.Pattern[str]:
        return re.compile(rf"^{self.started.format(name)}[ \t]*$", re.MULTILINE)

    def _lines(self, name: str) -> re.Pattern[str]:
        before, after = map(re.escape, self.line.split("{}"))
        return re.compile(rf"^{before}({name}){after}[ \t]*(?:\n|$)", re.MULTILINE)

    def _line(self, name: str) -> str:
        return f"{self.line.format(name)}\n"


GRUB = MenuLanguage(
    line=f"source ($root){text.image_menu_path('{}')}",
    starts="set default={1}",
    started=r"set default=(.*)",
)
SYSLINUX = MenuLanguage(
    line=f"INCLUDE {syslinux_text.image_menu_path('{}')}",
    starts=f"DEFAULT {syslinux_text.label('{}', '{}')}",
    started=rf"DEFAULT {syslinux_text.label('{}', '([0-9]+)')}",
)
