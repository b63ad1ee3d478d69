# SPDX-License-Identifier: Apache-2.0
"""The boot menus: templates per shape, with `@NAME@` where an image's own words go."""

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
    """Name the file by which a kiwi medium's GRUB finds its own filesystem."""
    return f"0x{zlib.crc32(recipe.label.encode()):08x}"


def early_config(recipe: Recipe) -> str:
    """Give the script inside the BIOS core image; only kiwi's has one."""
    return render(recipe, "early.cfg") if recipe.shape is Shape.KIWI else ""
