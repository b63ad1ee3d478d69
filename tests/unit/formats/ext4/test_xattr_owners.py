# SPDX-License-Identifier: Apache-2.0
"""Blocks of attributes that inodes share; that e2fsck agrees is shown in ``test_ext4_trees``."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import FormatError
from liveos.formats.ext4.xattrs import block_owners, with_owners

MAGIC = 0xEA020000  # fs/ext4/xattr.h


@given(st.integers(1, 1024), st.integers(1, 1024), st.none() | st.integers(0, 2**32 - 1))
def test_owners(before: int, after: int, seed: int | None) -> None:
    block = struct.pack("<5I", MAGIC, before, 1, 7, 9).ljust(1024, b"x")
    assert block_owners(block) == before
    new = with_owners(block, after, 42, seed)
    assert block_owners(new) == after
    assert new[8:16] == block[8:16]
    assert new[20:] == block[20:]
    if seed is None:
        assert new[16:20] == bytes(4)


@given(st.binary(max_size=64))
def test_any_bytes(block: bytes) -> None:
    if block[:4] != MAGIC.to_bytes(4, "little") or len(block) < 20:
        with pytest.raises(FormatError):
            block_owners(block)
