# SPDX-License-Identifier: Apache-2.0
"""The boot menus: one directory of templates per shape, with `@NAME@` where an image's own words go."""

import re
import zlib
from pathlib import Path

from tests.images.recipes import Recipe, Shape

HERE = Path(__file__).parent


def render(recipe: Recipe, template: str) -> str:
    """Fill in a template of the recipe's shape."""
    words = {"LABEL": recipe.label, "PRODUCT": recipe.product, "MBR_ID": mbr_id(recipe)}
    text = (HERE / recipe.shape / template).read_text()
    return re.sub(r"@([A-Z_]+)@", lambda match: words[match[1]], text)


def mbr_id(recipe: Recipe) -> str:
    """Name the file by which a kiwi medium's GRUB knows its own filesystem: `0x` and eight digits."""
    return f"0x{zlib.crc32(recipe.label.encode()):08x}"


def early_config(recipe: Recipe) -> str:
    """Give the script that the BIOS core image runs before it can read any file; empty but for kiwi."""
    return render(recipe, "early.cfg") if recipe.shape is Shape.KIWI else ""
