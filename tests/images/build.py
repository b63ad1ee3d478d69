# SPDX-License-Identifier: Apache-2.0
"""From a recipe to an ISO, step by step."""

import json
import time
from pathlib import Path

from tests.images.facts import collect_facts
from tests.images.iso import write_iso
from tests.images.programs import Log, require_programs, say
from tests.images.recipes import Recipe
from tests.images.root import build_root
from tests.images.tree import lay_out_tree


def build(recipe: Recipe, work: Path) -> Path:
    """Build the image in `work`; give the directory there that holds the ISO and its facts."""
    require_programs()
    log = Log(work / "log")
    started = time.monotonic()
    result = work / "result"
    result.mkdir()
    iso = result / f"{recipe.name}.iso"

    say(f"{recipe.name}: bootstrapping {recipe.suite}, packing its root (log: {log.path})")
    parts = build_root(recipe, work, log)
    say(f"{recipe.name}: writing the ISO")
    medium = lay_out_tree(recipe, parts, work, log)
    write_iso(recipe, medium, iso, log)
    facts = collect_facts(recipe, parts, iso, log)
    (result / f"{recipe.name}.json").write_text(json.dumps(facts, indent=2) + "\n")

    say(f"{recipe.name}: {iso.stat().st_size >> 20} MiB in {time.monotonic() - started:.0f} s")
    return result
