# SPDX-License-Identifier: Apache-2.0
"""New texts for the menu of a stick: one line for each image, and no other byte changes."""

import re

from liveos.operations.menus.text import image_menu_path

_ANY_IMAGE = re.compile(r"^source \(\$root\)/liveos/[^/\s]+/menu\.cfg[ \t]*(?:\n|$)", re.MULTILINE)
_DEFAULT = re.compile(r"^set default=.*$", re.MULTILINE)


def with_image(text: str, name: str) -> str:
    """With an image more, behind the others."""
    lines = list(_ANY_IMAGE.finditer(text))
    end = lines[-1].end() if lines else len(text)
    before = text[:end]
    if before and not before.endswith("\n"):
        before += "\n"
    return before + line_of(name) + text[end:]


def without_image(text: str, name: str) -> str:
    """Without an image; numbers of entries mean others then, so the first one starts by itself."""
    return _DEFAULT.sub("set default=0", _of(name).sub("", text), count=1)


def with_first(text: str, name: str) -> str:
    """With an image before all others, whose first entry starts by itself."""
    rest = without_image(text, name)
    first = _ANY_IMAGE.search(rest)
    start = first.start() if first else len(rest)
    return rest[:start] + line_of(name) + rest[start:]


def with_name(text: str, old: str, new: str) -> str:
    """With another name for an image, in its place."""
    return _of(old).sub(lambda _: line_of(new), text)


def line_of(name: str) -> str:
    """What shows the menu of an image."""
    return f"source ($root){image_menu_path(name)}\n"


def _of(name: str) -> re.Pattern[str]:
    path = re.escape(image_menu_path(name))
    return re.compile(rf"^source \(\$root\){path}[ \t]*(?:\n|$)", re.MULTILINE)
