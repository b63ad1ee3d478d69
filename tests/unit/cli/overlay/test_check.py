# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay check``: what people and scripts get, and that nothing is written."""

import hashlib
import json
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests.unit.medium.overlay.test_check import CHUNK, Damage, cut, healthy, put, slot


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    path.write_bytes(healthy())
    return path


def damaged(path: Path, *damages: Damage) -> None:
    content = bytearray(path.read_bytes())
    for damage in damages:
        damage(content)
    path.write_bytes(content)


def test_a_store_in_order(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["overlay", "check", str(store)]) == ExitStatus.DONE
    assert capsys.readouterr() == (f"{store}: in order\n", "")


def test_notes_alone_are_no_problem(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged(store, slot(39, 200, 60))
    assert main(["overlay", "check", str(store)]) == ExitStatus.DONE
    out = capsys.readouterr().out
    assert "R8" in out
    assert out.endswith(f"{store}: in order\n")


@pytest.mark.parametrize(
    ("damages", "verdict", "extra"),
    [
        ((put(4, b"\0"),), "1 error", "-o NEW"),
        ((put(4, b"\0"), slot(45, 9, 0)), "1 error, 1 warning", "-o NEW"),
        ((slot(39, 15, 42),), "1 error", "-o NEW --keep last"),
        ((put(0, b"SnAq"),), "1 error", "-o NEW --force-header"),
    ],
)
def test_a_damaged_store(
    damages: tuple[Damage, ...],
    verdict: str,
    extra: str,
    store: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damaged(store, *damages)
    assert main(["overlay", "check", str(store)]) == ExitStatus.PROBLEMS_FOUND
    out, err = capsys.readouterr()
    *_, conclusion, following = out.splitlines()
    assert conclusion == f"{store}: {verdict}"
    assert following == f"next: liveos overlay repair {store} {extra}"
    assert err == ""


def test_what_nothing_repairs_names_no_command(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged(store, put(8, b"\2"))
    assert main(["overlay", "check", str(store)]) == ExitStatus.PROBLEMS_FOUND
    assert "next:" not in capsys.readouterr().out


def test_json(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged(store, put(4, b"\0"))
    assert main(["overlay", "check", "--json", str(store)]) == ExitStatus.PROBLEMS_FOUND
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["state"]) == ("liveos/overlay-check/1", "invalid")
    (finding,) = document["findings"]
    assert finding.keys() == {"code", "severity", "message", "repair"}
    assert (finding["code"], finding["severity"]) == ("H6", "fatal")


@pytest.mark.parametrize(
    ("option", "expected"),
    [([], {"H7", "A2", "R1", "R8", "S2"}), (["--skip-mappings"], {"H7", "A2"}),
     (["--header-only"], {"H7"})],
)  # fmt: skip
def test_levels(
    option: list[str], expected: set[str], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged(store, slot(45, 9, 50), slot(5, 15, 110), put(100, b"x"))
    main(["overlay", "check", "--json", *option, str(store)])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {finding["code"] for finding in found} == expected


def test_two_levels_are_none(store: Path) -> None:
    line = ["overlay", "check", "--header-only", "--skip-mappings", str(store)]
    assert main(line) == ExitStatus.USAGE


@pytest.mark.parametrize("damage", [cut(12), cut(90 * CHUNK), put(0, bytes(16)), slot(5, 1, 1)])
def test_nothing_is_written(damage: Damage, store: Path) -> None:
    damaged(store, damage)
    before = hashlib.sha256(store.read_bytes()).digest(), store.stat().st_mtime_ns
    main(["overlay", "check", str(store)])
    assert (hashlib.sha256(store.read_bytes()).digest(), store.stat().st_mtime_ns) == before
    assert [path.name for path in store.parent.iterdir()] == ["store"]
