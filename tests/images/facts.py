# SPDX-License-Identifier: Apache-2.0
"""What other programs say about a finished image: the expected values of tests."""

import re
from pathlib import Path
from typing import Any

from tests.images.programs import Log
from tests.images.recipes import Payload, Recipe
from tests.images.root import Parts


def collect_facts(recipe: Recipe, parts: Parts, iso: Path, log: Log) -> dict[str, Any]:
    """Ask them all. Sizes are in bytes; the longer answers are kept as they were printed."""
    return {
        "generation": recipe.name,
        "suite": recipe.suite,
        "payload": recipe.payload,
        "shape": recipe.shape,
        "livesys": recipe.livesys,
        "label": recipe.label,
        "kernel": parts.fact("kernel").strip(),
        "dracut": parts.fact("dracut").strip(),
        "initramfs_modules": parts.fact("initramfs-modules").split(),
        "iso": {"size": iso.stat().st_size, **_blkid(iso, log)},
        "squashfs_img": {"size": parts.squashfs.stat().st_size, **_blkid(parts.squashfs, log)},
        "squashfs_superblock": _squashfs_superblock(recipe, parts, log),
        "erofs_superblock": _colon_table(parts.fact("dump.erofs")) or None,
        "rootfs_img": _colon_table(parts.fact("dumpe2fs")) or None,
        "implanted_md5": _implanted_md5(iso, log),
        "el_torito": _xorriso(iso, "-report_el_torito", log),
        "system_area": _xorriso(iso, "-report_system_area", log),
        "packages": dict(line.split("\t") for line in parts.fact("packages").splitlines()),
    }


def _blkid(path: Path, log: Log) -> dict[str, str]:
    """The tags that blkid finds: type, label, identifiers."""
    lines = log.output(["blkid", "--probe", "--output", "export", path]).splitlines()
    # In this format a backslash stands before each blank.
    tags = dict(re.sub(r"\\(.)", r"\1", line).split("=", 1) for line in lines if "=" in line)
    return {name.lower(): value for name, value in tags.items() if name != "DEVNAME"}


def _squashfs_superblock(recipe: Recipe, parts: Parts, log: Log) -> list[str] | None:
    if recipe.payload is Payload.EROFS:
        return None
    return log.output(["unsquashfs", "-s", parts.squashfs]).splitlines()[1:]


def _xorriso(iso: Path, report: str, log: Log) -> list[str]:
    return log.output(["xorriso", "-indev", iso, report, "plain"]).splitlines()


def _colon_table(text: str) -> dict[str, str]:
    """Read `name: value` lines, as dumpe2fs prints them."""
    return dict(re.findall(r"^([A-Z][^:\n]*):\s+(.*)$", text, re.MULTILINE))


def _implanted_md5(iso: Path, log: Log) -> dict[str, str]:
    """The sum that implantisomd5 wrote, as checkisomd5 reads it back."""
    answer = log.output(["checkisomd5", "--md5sumonly", iso])
    md5 = re.search(r":\s+([0-9a-f]{32})", answer)
    fragments = re.search(r"Fragment sums:\s+(\S+)", answer)
    return {"md5": md5[1] if md5 else "", "fragments": fragments[1] if fragments else ""}
