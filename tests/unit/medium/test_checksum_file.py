# SPDX-License-Identifier: Apache-2.0
"""Files of sums, as coreutils writes them."""

from hypothesis import given
from hypothesis import strategies as st

from liveos.medium.checksum_file import Checksum, checksums, is_signed

DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of nothing


def test_both_kinds_of_lines() -> None:
    text = f"""# Fedora-Workstation.iso: 0 bytes
SHA256 (a (b).iso) = {DIGEST}
{DIGEST.upper()} *dir/c.iso
{DIGEST}  d  e.iso
MD5 (a.iso) = d41d8cd98f00b204e9800998ecf8427e
d41d8cd98f00b204e9800998ecf8427e  a.iso
"""
    found = list(checksums(text))
    assert [each.name for each in found] == ["a (b).iso", "c.iso", "d  e.iso"]
    assert set(found[:1]) == {Checksum("a (b).iso", "sha256", DIGEST)}
    assert {(each.algorithm, each.digest) for each in found} == {("sha256", DIGEST)}


def test_a_signature_is_noticed() -> None:
    assert is_signed("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n")
    assert not is_signed("SHA256 (a) = 0")


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(len(each.digest) in {64, 96, 128} for each in checksums(text))
