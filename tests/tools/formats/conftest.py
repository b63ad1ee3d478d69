# SPDX-License-Identifier: Apache-2.0
"""One source tree for all filesystem readers."""

from pathlib import Path

import pytest

from tests.tools.formats.trees import Listing, listing_of_directory, make_tree


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree") / "root")


@pytest.fixture(scope="session")
def listing(tree: Path) -> Listing:
    return listing_of_directory(tree)
