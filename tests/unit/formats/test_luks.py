# SPDX-License-Identifier: Apache-2.0
"""LUKS headers that cryptsetup 2.6.1 made; the expected values are those of its luksDump."""

import base64
import hashlib
import json
import lzma
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import FormatError, MemorySource
from liveos.formats.luks import KeySlot, LuksHeader, read_luks


def _bytes(text: str) -> bytes:
    return lzma.decompress(base64.b64decode(text))


# Both copies of a LUKS2 header, with a second key slot that was added later.
LUKS2 = _bytes(
    "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4H//A0ZdACYVRXm7ImCvQobSyPMmoau5eg3qStsdLbChFt/1TILTM69U52xl"
    "oZicnsZpZqY0leF5nS6eA+hioSa+jikOUEOBSKa4Yg9fXhF6SspdR1q8ENGEXnn1vIxCkFLN9dsXKQJzvrCB7POte1CI"
    "S1k7+OOV/7qwo27Z1Rq/r5hY1OL8mt8KjvOIEgQ9z8igBfnmvYjJmPA3xqISAX8tbW6/VcCXAiyagCHz1NiP+eSb9sSy"
    "lTHBBK/u3z1M31aZSpT4JdSeC9S/8XLkTcqkHItTnZRjAG49v4bVZ1mY69DC8Pc1HxX2U9Lmocb6CgnwMdfvO6gMi9vg"
    "AiKQqd6ljFCiZG0r5n/NNsNUhTWBsOgGv4dUCSrW0cQyw5+QuHy7kDwT+inut6ov6W5cAD+7zclsRNUzNLFfRz5xhFeP"
    "3ryw1KaC4Mv9iTlzKBw76dcAC6Op4YCPJhLP1188MzSe3Z/eYx/cqr4px6F5czj44o9bb5m4mR5l8z+NMBhk5Fln12eT"
    "qB/FowymO0ydrMezdt1AgV7StSRcN5FBhPWhrxadZ/2+Y2ZnlySoykRrO+WpUV1nN54IQzoxFc9BV35utBKUybYaUuch"
    "ptwtocqamjwUrT/bAz9E9O3VOg2c3lsmLwI28CuG0MxbVDzfuRG6EsGG4olR0ZW9+KBrtRVXPeuAKSuCssuznOb63VSE"
    "nYCo3oV2aq/OZ+cGMheyKjQFNMBEdJTLjmcgtw7ep9Lhroh5GpKx5+wzKWbIWAaAaWBa5XBN1qz87MwVm5jIF40mJ0Hp"
    "pf8JFk3t0ZtXBD3BD1r3aKP/MWGubtJY1XtCAhoTAzmrYe4no1ORelNKQunea9PpxfSwY9B5s0mbX79viXwz2THzurtT"
    "YXHr2PNufphiPiUKZoBRvifkpZdfSW07sMPN/LzjB2BxTE3FUoKCch/Ibg/0lV3RKSVhKhR8LdUfr4+Dj1m9pfaWk02S"
    "XnR2TeFr2MLlAoVlJUT4KMDztiDHmaHdeLR+qtUzdu/m2v6LzILTEn+0pyxwt1zCBXYr4u2S559MofvXfzNnFIFXbr4F"
    "lqQ5qnbRqe/e/xVQHlvznh8E44oAZG2YJZc1y+M0/o62yXBoa+F8qYAAAAD2eLYFonOclwAB4gaAgAIAzVTDKbHEZ/sC"
    "AAAAAARZWg=="
)
LUKS1 = _bytes(
    "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AJPANRdACYVRXm7ImCvQYjoJ0BQlB1/U7o1621baGjHj8vc2ra0PFZuPVRF"
    "fpU6jaC7vEh8jbZ8SQ7ldhk62wH4VA/nwGnePEEmXz/BONIPOQP/i8hqpGmwkJhvT6UZR8HN1qCmjQjzw5DHkn3jYt2K"
    "gbtblb+YKSDYiKyUBTLb7539YGSzY3CuMSdWQ4CwC62/nAKOYBNeeRHTHaYKh/0xDOQU9u693I8tyvJFxdv0qPWJVWy0"
    "uVK821rPL+AhmHAZV+YQAKRes518/6jHewA7itjC/VuOEIMAAPndcj99hJXXAAHwAdAEAAAx9frKscRn+wIAAAAABFla"
)
COPY = 16384
UUID = "6c697665-6f73-4000-8000-00000000000"
EXPECTED = LuksHeader(
    version=2,
    uuid=UUID + "1",
    cipher="aes-xts-plain64",
    offset=1048576,
    sector_size=4096,
    key_slots=(KeySlot(0, "pbkdf2"), KeySlot(1, "argon2id")),
)


def test_luks2() -> None:
    assert read_luks(MemorySource(LUKS2)) == EXPECTED


def test_luks1() -> None:
    found = read_luks(MemorySource(LUKS1))
    assert found == LuksHeader(
        1, UUID + "2", "aes-xts-plain64", 4096 * 512, 512, (KeySlot(0, "pbkdf2"),)
    )


@pytest.mark.parametrize("damaged", [0, 100, 5000, COPY, COPY + 5000])
def test_one_damaged_copy_does_no_harm(damaged: int) -> None:
    data = bytearray(LUKS2)
    data[damaged] ^= 0xFF
    assert read_luks(MemorySource(bytes(data))) == EXPECTED


def test_both_copies_damaged() -> None:
    data = bytearray(LUKS2)
    data[100] ^= 0xFF
    data[COPY + 100] ^= 0xFF
    with pytest.raises(FormatError, match="both copies"):
        read_luks(MemorySource(bytes(data)))


def sealed(document: object) -> bytes:
    """The first copy with other JSON in it, under a checksum that holds."""
    area = bytearray(LUKS2[:COPY])
    area[4096:] = json.dumps(document).encode().ljust(COPY - 4096, b"\0")
    area[448:512] = bytes(64)
    area[448:480] = hashlib.sha256(area).digest()
    return bytes(area)


JSON = json.loads(LUKS2[4096:COPY].rstrip(b"\0"))


def test_an_unfinished_reencryption_is_told() -> None:
    document = {
        **JSON,
        "config": {**JSON["config"], "requirements": {"mandatory": ["online-reencrypt-v2"]}},
    }
    assert read_luks(MemorySource(sealed(JSON))) == EXPECTED
    assert read_luks(MemorySource(sealed(document))).unfinished


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.sampled_from(["segments", "keyslots", "config"]), _VALUES)
def test_json_of_any_shape(name: str, value: object) -> None:
    with suppress(FormatError):
        read_luks(MemorySource(sealed({**JSON, name: value})))


@given(st.binary(max_size=600), st.sampled_from([b"", b"LUKS\xba\xbe\0\1", b"LUKS\xba\xbe\0\2"]))
def test_any_bytes(data: bytes, start: bytes) -> None:
    with suppress(FormatError):
        assert read_luks(MemorySource(start + data)).version == 1
