# SPDX-License-Identifier: Apache-2.0
"""`python3 -m tests.images`: print the path of each test image, building what is missing."""

import argparse
import sys

from tests import images
from tests.images.cache import cached, image, prune
from tests.images.programs import BuildError
from tests.images.recipes import RECIPES


def main() -> int:
    """Do what the command line asks."""
    arguments = _parse()
    chosen = [recipe for recipe in RECIPES if arguments.image in {recipe.name, "all"}]
    if arguments.prune:
        for directory in prune():
            print(directory)
        return 0
    if arguments.list:
        for recipe in chosen:
            found = cached(recipe)
            print(f"{recipe.name}\t{'built' if found.exists else 'missing'}\t{found.iso}")
        return 0
    try:
        for recipe in chosen:
            print(image(recipe).iso, flush=True)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.images", description=images.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [recipe.name for recipe in RECIPES]
    parser.add_argument("image", nargs="?", choices=[*names, "all"], default="all")
    parser.add_argument("--list", action="store_true", help="tell where each image is and whether it was built; build nothing")
    parser.add_argument("--prune", action="store_true", help="remove images that no recipe asks for any more")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
