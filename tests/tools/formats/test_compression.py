# SPDX-License-Identifier: Apache-2.0
"""Streams that the real compressors wrote."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from liveos.formats.binary import FileSource, FormatError, MemorySource
from liveos.formats.compression.decompress import decompress
from tests.tools.formats.isos import noise

pytestmark = pytest.mark.tools

_COMPRESSORS = (
    ("gzip", "-c"),
    ("xz", "-c", "--check=crc32", "--lzma2=dict=1MiB"),
    ("xz", "-c", "-9", "--threads=2", "--block-size=300000"),
    ("xz", "-c", "--format=lzma"),
    ("bzip2", "-c"),
    ("zstd", "-c", "-q"),
    ("zstd", "-c", "-q", "--ultra", "-22"),
    ("lz4", "-c", "-q"),
    ("lz4", "-c", "-q", "-l"),
    ("lzop", "-c"),
    ("lzop", "-c", "-9", "--no-checksum"),
)
_DATA = noise(100_000) + b"the same words " * 200_000 + noise(50_000, 2)


def _compress(command: tuple[str, ...], data: bytes) -> bytes:
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def _unpack(packed: bytes, offset: int = 0) -> bytes:
    return b"".join(decompress(MemorySource(packed), offset))


@pytest.mark.parametrize("command", _COMPRESSORS)
def test_what_was_packed_comes_back(command: tuple[str, ...]) -> None:
    packed = _compress(command, _DATA)
    assert _unpack(b"1234" + packed, 4) == _DATA


@pytest.mark.parametrize("command", _COMPRESSORS)
def test_pieces_are_small(command: tuple[str, ...]) -> None:
    packed = _compress(command, bytes(30_000_000))
    sizes = [len(piece) for piece in decompress(MemorySource(packed))]
    assert sum(sizes) == 30_000_000
    assert max(sizes) <= 8 << 20


@pytest.mark.parametrize("command", _COMPRESSORS)
def test_a_truncated_stream_is_refused(command: tuple[str, ...]) -> None:
    packed = _compress(command, _DATA)
    if "-l" in command:
        pytest.skip("the legacy LZ4 format has no end mark")
    with pytest.raises(FormatError):
        _unpack(packed[: len(packed) // 2])


@pytest.mark.parametrize(
    "command", [("gzip", "-c"), ("xz", "-c"), ("bzip2", "-c"), ("zstd", "-cq"), ("lz4", "-cq")]
)
def test_streams_in_several_parts_are_one(command: tuple[str, ...]) -> None:
    packed = _compress(command, b"first ") + _compress(command, b"second")
    assert _unpack(packed) == b"first second"


def test_zeros_between_and_behind_parts_are_skipped() -> None:
    command = ("xz", "-c")
    packed = _compress(command, b"first ") + bytes(8) + _compress(command, b"second") + bytes(512)
    assert _unpack(packed) == b"first second"


@pytest.mark.parametrize("command", [("xz", "-c", "--lzma2=dict=1536MiB"), ("zstd", "-cq")])
def test_memory_is_bounded(tmp_path: Path, command: tuple[str, ...]) -> None:
    # A stream that claims a huge dictionary, or unpacks to very much, in a process with 512 MiB.
    path = tmp_path / "packed"
    path.write_bytes(_compress(command, bytes(100_000_000)))
    script = (
        "import sys, pathlib;"
        "from liveos.formats.binary import FileSource, FormatError;"
        "from liveos.formats.compression.decompress import decompress\n"
        "try: print(sum(map(len, decompress(FileSource(pathlib.Path(sys.argv[1]))))))\n"
        "except FormatError as error: print('refused:', error)"
    )
    limit = 512 << 20
    done = subprocess.run(
        [sys.executable, "-c", script, path],
        capture_output=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.stdout.startswith((b"100000000", b"refused:"))
    assert FileSource(path).size < 1 << 20
