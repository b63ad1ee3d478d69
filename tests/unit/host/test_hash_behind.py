# SPDX-License-Identifier: Apache-2.0
"""The sum that is computed beside is hashlib's of everything in its order."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from liveos.host.hash_behind import HashBehind


@given(st.lists(st.binary(max_size=5000), max_size=20))
def test_the_sum_is_that_of_all_pieces(pieces: list[bytes]) -> None:
    beside, sums = HashBehind(), []
    whole = hashlib.sha256()
    for piece in pieces:
        beside.update(piece)
        whole.update(piece)
        sums.append(beside.hexdigest() == whole.hexdigest())
    assert all(sums)
    beside.close()
    assert beside.hexdigest() == whole.hexdigest()
