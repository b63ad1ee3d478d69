# SPDX-License-Identifier: Apache-2.0
"""Finished images, found by what they were made of."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.images.build import build
from tests.images.recipes import RECIPES, Recipe

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Image:
    """A live image in the cache; it exists if it was built."""

    recipe: Recipe
    directory: Path

    @property
    def iso(self) -> Path:
        return self.directory / f"{self.recipe.name}.iso"

    @property
    def facts(self) -> dict[str, Any]:
        """Tell what other programs say about the image."""
        facts: dict[str, Any] = json.loads(
            (self.directory / f"{self.recipe.name}.json").read_text()
        )
        return facts

    @property
    def exists(self) -> bool:
        return self.iso.exists()


def image(recipe: Recipe) -> Image:
    """Give the recipe's image, building it if the cache does not have it."""
    wanted = cached(recipe)
    if not wanted.exists:
        with _lock(recipe):
            # Somebody else may have built it while we waited.
            if not wanted.exists:
                _build_into_place(recipe, wanted.directory)
    return wanted


def cached(recipe: Recipe) -> Image:
    """Tell where the recipe's image is or would be."""
    return Image(recipe, cache_directory() / f"{recipe.name}-{_fingerprint(recipe)}")


def prune() -> Iterator[Path]:
    """Remove images that no recipe asks for any more, and what failed builds left."""
    for recipe in RECIPES:
        with _lock(recipe):
            for path in _stale(recipe):
                shutil.rmtree(path)
                yield path


def _stale(recipe: Recipe) -> list[Path]:
    found = [
        *cache_directory().glob(f"{recipe.name}-*"),
        *cache_directory().glob(f"build-{recipe.name}-*"),
    ]
    return [path for path in found if path != cached(recipe).directory]


def cache_directory() -> Path:
    """Tell where images are kept."""
    if chosen := os.environ.get("LIVEOS_TEST_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "liveos-tests"


def _build_into_place(recipe: Recipe, directory: Path) -> None:
    """Build beside the final place and rename, so that a half-made image is never found."""
    work = Path(tempfile.mkdtemp(prefix=f"build-{recipe.name}-", dir=cache_directory()))
    result = build(recipe, work)
    result.rename(directory)
    # Only now: after a failure the log and the pieces are wanted.
    shutil.rmtree(work)


@contextmanager
def _lock(recipe: Recipe) -> Iterator[None]:
    """Let only one process at a time build an image."""
    cache_directory().mkdir(parents=True, exist_ok=True)
    with (cache_directory() / f"{recipe.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint(recipe: Recipe) -> str:
    """Hash everything that the image depends on, except what the mirror has today."""
    digest = hashlib.sha256()
    for path in sorted(path for path in HERE.rglob("*") if _matters(path, recipe)):
        digest.update(str(path.relative_to(HERE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _matters(path: Path, recipe: Recipe) -> bool:
    """Leave out the menus of other shapes, and what only finds or describes images."""
    inside = path.relative_to(HERE).parts
    if not path.is_file() or "__pycache__" in inside:
        return False
    if inside[0] == "menus" and len(inside) > 2:
        return inside[1] == recipe.shape
    return inside[0] not in {"__init__.py", "__main__.py", "cache.py"}
