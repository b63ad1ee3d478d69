# SPDX-License-Identifier: Apache-2.0
"""``overlay status`` with what is in use, against debugfs; its maps, read by other programs."""

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.formats.binary import FileSource
from liveos.formats.exception_store import read_store
from liveos.medium.overlay.locate import open_overlay
from liveos.medium.overlay.map import Analysis, Part, analyse
from tests.tools.operations.overlay.stores import CHUNK, Case, make

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make(tmp_path_factory.mktemp("status"), "-b", "4096")


@pytest.fixture(scope="module")
def analysis(case: Case) -> Analysis:
    with open_overlay(str(case.store), case.origin) as overlay:
        return analyse(overlay)


def blocks_of(image: Path, name: str) -> list[int]:
    """The blocks of a file, its extent tree's among them, as debugfs lists them."""
    done = subprocess.run(
        ["debugfs", "-R", f"blocks {name}", image], capture_output=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def contents_of(image: Path, name: str) -> set[bytes]:
    """The content of a file in blocks, as debugfs reads it."""
    done = subprocess.run(["debugfs", "-R", f"cat {name}", image], capture_output=True, check=True)
    pieces = (done.stdout[start : start + CHUNK] for start in range(0, len(done.stdout), CHUNK))
    return {piece.ljust(CHUNK, b"\0") for piece in pieces}


def block_at(image: Path, number: int) -> bytes:
    with FileSource(image) as source:
        return source.read_at(number * CHUNK, CHUNK)


def changed(case: Case, chunks: list[int]) -> list[int]:
    """Those of the chunks that are in the store and differ from the root."""
    with FileSource(case.store) as source:
        stored = set(read_store(source).old.tolist())
    origin, view = case.origin.read_bytes(), case.view.read_bytes()
    places = [(chunk, slice(chunk * CHUNK, (chunk + 1) * CHUNK)) for chunk in chunks]
    return [chunk for chunk, place in places if chunk in stored and origin[place] != view[place]]


def test_files_are_where_debugfs_says(case: Case, analysis: Analysis) -> None:
    for name in case.kept:
        blocks = changed(case, blocks_of(case.view, f"/{name}"))
        assert bool(blocks) == name.startswith("new")
        content = contents_of(case.view, f"/{name}")
        for block in blocks:
            # What is no part of the content is a node of a larger extent tree.
            expected = Part.FILES if block_at(case.view, block) in content else Part.STRUCTURE
            assert analysis.parts[block] == expected


def test_the_journal_is_where_debugfs_says(case: Case, analysis: Analysis) -> None:
    blocks = changed(case, blocks_of(case.view, "<8>"))
    assert set(analysis.parts[blocks]) <= {Part.JOURNAL}
    assert analysis.size(Part.JOURNAL) == len(blocks) * CHUNK


def test_the_root_directory_is_structure(case: Case, analysis: Analysis) -> None:
    blocks = changed(case, blocks_of(case.view, "/"))
    assert blocks
    assert set(analysis.parts[blocks]) == {Part.STRUCTURE}


def test_what_was_written_and_deleted_is_freed(case: Case, analysis: Analysis) -> None:
    """Twelve files of 200 kB came and went; nothing of them is of use."""
    assert analysis.size(Part.FREED) >= 12 * 200_000
    freed = np.flatnonzero(analysis.parts == Part.FREED)
    for name in case.kept:
        assert not set(blocks_of(case.view, f"/{name}")) & set(freed.tolist())


def test_all_that_is_stored_is_something(case: Case, analysis: Analysis) -> None:
    with FileSource(case.store) as source:
        stored = np.zeros(len(analysis.parts), bool)
        stored[read_store(source).old] = True
    unchanged = (analysis.parts == Part.BASE) | (analysis.parts == Part.EMPTY)
    assert np.array_equal(unchanged, ~stored)
    assert analysis.cells(7).sum() == len(analysis.parts)
    assert analysis.cells(7).sum(axis=0).tolist() == [analysis.size(part) // CHUNK for part in Part]


def test_the_document(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["overlay", "status", str(case.store), "--origin", str(case.origin)]
    assert main([*line, "--analyse", "--json"]) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    told = document["analysis"]
    stored = told["live_size"] + told["freed_size"] + told["equal_size"]
    assert stored == document["exceptions"] * CHUNK
    assert told["gain_size"] >= told["freed_size"] + told["equal_size"]
    assert told["problem"] is None


@pytest.mark.parametrize("content", [bytes(1 << 20), bytes(65536) + b"stale" * (1 << 18)])
def test_a_blank_store_holds_nothing(
    case: Case, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """dracut zeroes the first 64 KiB; the kernel looks at no more than the header."""
    blank = tmp_path / "blank"
    blank.write_bytes(content)
    line = ["overlay", "status", str(blank), "--origin", str(case.origin), "--analyse"]
    assert main([*line, "--json"]) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["state"] == "blank"
    told = document["analysis"]
    assert told["live_size"] == told["freed_size"] == told["equal_size"] == told["gain_size"] == 0
    assert told["base_size"] + told["empty_size"] == case.origin.stat().st_size
    assert main([*line, "--map", "-"]) == ExitStatus.DONE


def test_of_a_damaged_store_the_state_is_told(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"no store" * (1 << 17))
    line = ["overlay", "status", str(damaged), "--origin", str(case.origin), "--analyse", "--json"]
    assert main(line) == ExitStatus.UNSUPPORTED
    document = json.loads(capsys.readouterr().out)
    assert (document["state"], document["analysis"]) == ("damaged", None)


def test_the_map_as_svg(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "map.svg"
    line = ["overlay", "status", str(case.store), "--origin", str(case.origin)]
    assert main([*line, "--map", str(picture)]) == ExitStatus.DONE
    tree = ET.parse(picture).getroot()
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join("".join(text.itertext()) for text in tree.iter() if text.tag.endswith("text"))
    assert "What fills the overlay" in words
    assert "a compaction gives back" in words
    assert "deleted, but still held" in words
    assert picture.stat().st_size < 200_000
    before = picture.read_bytes()
    assert main([*line, "--map", str(picture)]) == ExitStatus.REFUSED
    assert picture.read_bytes() == before
    assert main([*line, "--map", str(picture), "--force"]) == ExitStatus.DONE
    assert picture.read_bytes() == before


def test_the_map_as_png(case: Case, tmp_path: Path) -> None:
    """Both pictures are one drawing: the orange of what was deleted has the size it should."""
    picture = tmp_path / "map.PNG"
    line = ["overlay", "status", str(case.store), "--origin", str(case.origin)]
    assert main([*line, "--map", str(picture)]) == ExitStatus.DONE
    with Image.open(picture) as image:
        assert image.format == "PNG"
        colours = image.convert("RGB").getcolors(1 << 24) or []
        pixels = {colour: count for count, colour in colours}
    assert pixels[0xD5, 0x5E, 0x00] > 1000


def test_the_map_in_the_terminal(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["overlay", "status", str(case.store), "--origin", str(case.origin)]
    assert main([*line, "--map", "-"]) == ExitStatus.DONE
    out = capsys.readouterr().out
    assert "\x1b" not in out
    _, _, drawn = out.partition("Where that lies")
    rows = drawn.splitlines()[1:17]
    assert all(set(row) <= set("FfDdJjXxEeRr. ") for row in rows)
    assert {"F", "X"} <= set("".join(rows).upper())


@pytest.mark.parametrize("name", ["map.jpg", "map", "map.svg.gz"])
def test_other_kinds_of_pictures(case: Case, tmp_path: Path, name: str) -> None:
    line = ["overlay", "status", str(case.store), "--map", str(tmp_path / name)]
    assert main(line) == ExitStatus.USAGE
    assert list(tmp_path.iterdir()) == []


def test_without_its_root_nothing_can_be_analysed(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["overlay", "status", str(case.store), "--map", str(tmp_path / "map.svg")]
    assert main(line) == ExitStatus.USAGE
    assert "--origin" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
