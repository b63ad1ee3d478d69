# SPDX-License-Identifier: Apache-2.0
"""The recorded samples (``tests.data.make_format_samples``) and ways to damage them."""

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

_SAMPLES = Path(__file__).parents[2] / "data" / "format_samples.tar.xz"


@cache
def sample(name: str) -> bytes:
    """The bytes of a sample."""
    with tarfile.open(_SAMPLES) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read()


@cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(sample("facts.json"))
    return facts


def facts(name: str) -> dict[str, Any]:
    """What other programs say of a sample."""
    found: dict[str, Any] = _facts()[name]
    return found


def poked(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    """The data with other bytes at some offsets."""
    raw = bytearray(data)
    for offset, value in changes:
        raw[offset : offset + len(value)] = value
    return bytes(raw)


@st.composite
def damaged(draw: st.DrawFn, data: bytes, *places: tuple[int, int]) -> bytes:
    """The data with some numbers changed within the places (start, end) that matter."""
    offsets = st.one_of([st.integers(start, end - 1) for start, end in places])
    values = st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from([b"\xff" * 4, bytes(4), b"\0\0\0\x80", b"\xff\xff\xff\x7f", b"../x"]),
    )
    changes = draw(st.lists(st.tuples(offsets, values), min_size=1, max_size=6))
    raw = poked(data, *changes)
    return raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw
