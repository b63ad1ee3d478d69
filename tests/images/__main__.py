# SPDX-License-Identifier: Apache-2.0
"""`python3 -m tests.images`: print the path of each test image, building what is missing."""

import argparse
import sys

from tests import images
from tests.images.cache import Image, cached, image, prune
from tests.images.programs import BuildError
from tests.images.recipes import RECIPES


def main() -> int:
    """Do what the command line asks."""
    arguments = _parse()
    chosen = [recipe for recipe in RECIPES if arguments.image in {recipe.name, "all"}]
    try:
        if arguments.prune:
            lines = (str(path) for path in prune())
        elif arguments.list:
            lines = (_describe(cached(recipe)) for recipe in chosen)
        else:
            lines = (str(image(recipe).iso) for recipe in chosen)
        for line in lines:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    except BuildError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _describe(found: Image) -> str:
    return f"{found.recipe.name}\t{'built' if found.exists else 'missing'}\t{found.iso}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.images",
        description=images.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [recipe.name for recipe in RECIPES]
    parser.add_argument("image", nargs="?", choices=[*names, "all"], default="all")
    parser.add_argument("--list", action="store_true", help="tell what there is; build nothing")
    parser.add_argument("--prune", action="store_true", help="remove what no recipe asks for")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
