# SPDX-License-Identifier: Apache-2.0
"""The words for filesystems and partitions on the command line."""

import pytest

from liveos.cli.install_layout import live_filesystem
from liveos.errors import UsageError
from liveos.operations.install.filesystems import F2fs


@pytest.mark.parametrize(
    ("name", "single", "kernel_name"),
    [
        (None, False, "ext4"),
        (None, True, "vfat"),
        ("fat32", False, "vfat"),
        ("btrfs", False, "btrfs"),
        ("xfs", False, "xfs"),
        ("f2fs", False, "f2fs"),
    ],
)
def test_the_filesystem_that_is_meant(name: str | None, kernel_name: str, *, single: bool) -> None:
    assert live_filesystem(name, None, single=single).name == kernel_name


def test_features_of_f2fs() -> None:
    chosen = live_filesystem("f2fs", "extra_attr,compression", single=False)
    assert chosen == F2fs(("extra_attr", "compression"))
    for name, words in (("xfs", "extra_attr"), ("f2fs", "a b"), ("f2fs", "-x")):
        with pytest.raises(UsageError):
            live_filesystem(name, words, single=False)
