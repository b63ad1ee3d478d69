# SPDX-License-Identifier: Apache-2.0
"""The implanted MD5 against implantisomd5 and checkisomd5."""

import re
import subprocess
from pathlib import Path

import pytest

from liveos.formats.binary import ByteSource, FileSource
from liveos.formats.iso9660 import isomd5
from liveos.formats.iso9660.isomd5 import Verdict
from tests.tools.formats.isos import make_iso, noise, run

pytestmark = pytest.mark.tools

_TAIL = 15 * 2048


def _implanted_iso(where: Path, size: int, *options: str) -> Path:
    tree = where / "tree"
    tree.mkdir()
    (tree / "payload").write_bytes(noise(size))
    path = make_iso(tree, where / "test.iso", "-R")
    run("implantisomd5", *options, path)
    return path


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    return _implanted_iso(tmp_path, 5_000_000)


def _check(path: Path) -> isomd5.Check:
    with FileSource(path) as source:
        implanted = isomd5.read(source)
        assert implanted is not None
        return isomd5.check(source, implanted)


def _oracle(path: Path) -> Verdict:
    done = subprocess.run(["checkisomd5", path], capture_output=True, check=False)
    assert done.returncode in {0, 1}
    return Verdict.FAILED if done.returncode else Verdict.PASSED


def _flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


@pytest.mark.parametrize("options", [(), ("--supported-iso",)])
def test_the_sum_is_read_as_checkisomd5_prints_it(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = _implanted_iso(tmp_path, 1_000_000, *options)
    implanted = isomd5.read(FileSource(path))
    assert implanted is not None
    said = run("checkisomd5", "--md5sumonly", path)
    assert f"{path}:   {implanted.md5}" in said
    assert re.findall("Fragment sums: (.*)", said) == [implanted.fragment_sums]
    assert re.findall("Fragment count: (.*)", said) == [str(implanted.fragment_count)]
    assert re.findall("Supported ISO: (.*)", said) == ["yes" if implanted.supported else "no"]
    assert implanted.supported == bool(options)


@pytest.mark.parametrize("size", [700_000, 2_000_000, 5_000_000, 20_000_000])
def test_a_good_iso_passes(tmp_path: Path, size: int) -> None:
    path = _implanted_iso(tmp_path, size)
    assert _oracle(path) is Verdict.PASSED
    assert _check(path) == isomd5.Check(Verdict.PASSED)


def test_an_iso_too_small_for_fragments_is_judged_by_its_whole_sum(tmp_path: Path) -> None:
    # checkisomd5 1.2.3 fails what implantisomd5 wrote here; the sum itself is right.
    path = _implanted_iso(tmp_path, 100_000)
    assert _check(path).verdict is Verdict.PASSED
    _flip(path, 100_000)
    assert _check(path).verdict is Verdict.FAILED


@pytest.mark.parametrize("offset", [0, 32768 + 100, 40_000, 1_000_000, 2_500_000, 4_900_000])
def test_one_flipped_byte_fails_and_is_located(iso: Path, offset: int) -> None:
    _flip(iso, offset)
    assert _oracle(iso) is Verdict.FAILED
    result = _check(iso)
    assert result.verdict is Verdict.FAILED
    assert result.damaged is not None
    assert result.damaged[0] <= offset < result.damaged[1]


def test_the_check_ends_at_the_first_wrong_fragment(iso: Path) -> None:
    _flip(iso, 1_000_000)
    with FileSource(iso) as source:
        implanted = isomd5.read(source)
        assert implanted is not None
        isomd5.check(source, implanted)
        assert source.bytes_read < 2_200_000  # to the end of the piece that it is in


@pytest.mark.parametrize(
    ("from_end", "verdict"), [(_TAIL, Verdict.PASSED), (_TAIL + 1, Verdict.FAILED)]
)
def test_the_tail_is_not_protected(iso: Path, from_end: int, verdict: Verdict) -> None:
    _flip(iso, iso.stat().st_size - from_end)
    assert _oracle(iso) is verdict
    assert _check(iso).verdict is verdict


def test_what_lies_behind_the_iso_is_not_read(iso: Path) -> None:
    size = iso.stat().st_size
    with iso.open("ab") as file:
        file.truncate(size * 10)
    with FileSource(iso) as source:
        implanted = isomd5.read(source)
        assert implanted is not None
        assert isomd5.check(source, implanted).verdict is Verdict.PASSED
        assert source.bytes_read < size + 10_000
    assert _oracle(iso) is Verdict.PASSED


def test_a_truncated_iso_is_told_from_a_damaged_one(iso: Path) -> None:
    with iso.open("ab") as file:
        file.truncate(iso.stat().st_size - 1)
    with FileSource(iso) as source:
        implanted = isomd5.read(source)
        assert implanted is not None
        assert isomd5.check(source, implanted).verdict is Verdict.SHORTER


def test_no_sum_is_none(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    path = make_iso(tree, tmp_path / "test.iso", "-R")
    assert isomd5.read(FileSource(path)) is None


def test_progress_counts_to_the_protected_size(iso: Path) -> None:
    calls: list[tuple[int, int]] = []
    source: ByteSource = FileSource(iso)
    implanted = isomd5.read(source)
    assert implanted is not None
    isomd5.check(source, implanted, lambda done, total: calls.append((done, total)))
    assert calls == sorted(calls)
    assert calls[-1] == (implanted.protected_size, implanted.protected_size)
