# SPDX-License-Identifier: Apache-2.0
"""Sums in ISOs, beside them and on sticks; damage is done by other programs than ours."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.operations.execute import execute
from liveos.operations.install.filesystems import Btrfs
from tests.tools.operations.layouts import made, partitions
from tests.tools.operations.tiny import FILES, MIB, make_plan, run

pytestmark = pytest.mark.tools


@pytest.fixture
def stick(iso: Path, tmp_path: Path) -> Path:
    target = tmp_path / "stick.img"
    execute(make_plan(iso, target))
    return target


def verify(path: Path, capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, Any]:
    """The exit status, and the document."""
    capsys.readouterr()
    status = main(["verify", "--json", *map(str, words), str(path)])
    out = capsys.readouterr().out
    return status, json.loads(out) if out else None


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    return {each["subject"]: each["verdict"] for each in document["comparisons"]}


@contextmanager
def live_of(stick: Path) -> Iterator[Path]:
    """The LIVE filesystem as a file, which goes back when it has been changed."""
    row = next(line for line in run("sfdisk", "-d", stick).decode().splitlines() if "LIVE" in line)
    start, size = (int(row.split(f"{name}=")[1].split(",")[0]) * 512 for name in ("start", "size"))
    copy = stick.with_suffix(".live")
    with stick.open("r+b") as file:
        file.seek(start)
        copy.write_bytes(file.read(size))
        yield copy
        file.seek(start)
        file.write(copy.read_bytes())


def test_a_stick_as_it_was_made(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, document = verify(stick, capsys)
    assert status == ExitStatus.DONE
    assert document["holds"] is True
    assert set(verdicts(document).values()) == {"good"}
    sizes = {each["subject"]: each["size"] for each in document["comparisons"]}
    assert sizes["LIVE:/LiveOS/squashfs.img"] == FILES["/LiveOS/squashfs.img"]
    assert "ESP:/liveos/LiveOS/vmlinuz" in sizes
    assert main(["verify", str(stick)]) == ExitStatus.DONE
    assert "is as it should be" in capsys.readouterr().out


def test_one_bit_is_enough(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with live_of(stick) as live:
        block = int(run("debugfs", "-R", "bmap /LiveOS/squashfs.img 5", live).split()[0])
        data = bytearray(live.read_bytes())
        data[block * 4096 + 77] ^= 4
        live.write_bytes(data)
    status, document = verify(stick, capsys)
    assert status == ExitStatus.PROBLEMS_FOUND
    bad = [name for name, verdict in verdicts(document).items() if verdict != "good"]
    assert bad == ["LIVE:/LiveOS/squashfs.img"]
    assert main(["verify", str(stick)]) == ExitStatus.PROBLEMS_FOUND
    assert "NOT AS IT SHOULD BE: 1 of" in capsys.readouterr().out


def test_what_is_gone_or_shorter(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = next(line for line in run("sfdisk", "-d", stick).decode().splitlines() if "ESP" in line)
    esp = f"{stick}@@{int(row.split('start=')[1].split(',')[0]) * 512}"
    run("mdel", "-i", esp, "::/liveos/LiveOS/vmlinuz")
    run("mcopy", "-o", "-i", esp, "-", "::/liveos/LiveOS/initrd.img", stdin=b"short")
    status, document = verify(stick, capsys)
    assert status == ExitStatus.PROBLEMS_FOUND
    found = verdicts(document)
    assert found["ESP:/liveos/LiveOS/vmlinuz"] == "missing"
    assert found["ESP:/liveos/LiveOS/initrd.img"] == "damaged"
    remarks = [each["remark"] for each in document["comparisons"] if each["remark"]]
    assert remarks == ["it has 5 bytes"]


def test_what_lies_on_a_filesystem_that_is_not_read(
    iso: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What starts is compared, and what is not is said."""
    stick = made(iso, tmp_path / "stick.img", filesystem=Btrfs())
    assert main(["verify", str(stick)]) == ExitStatus.DONE
    said = " ".join(capsys.readouterr().out.split())
    assert "not compared: /LiveOS/squashfs.img lies on btrfs, which is not read here" in said
    assert "What was compared of" in said
    esp = f"{stick}@@{int(str(partitions(stick)[-2]['start'])) * 512}"
    run("mcopy", "-o", "-i", esp, "-", "::/liveos/LiveOS/initrd.img", stdin=b"short")
    status, document = verify(stick, capsys)
    assert status == ExitStatus.PROBLEMS_FOUND
    assert verdicts(document) == {
        "ESP:/liveos/LiveOS/vmlinuz": "good",
        "ESP:/liveos/LiveOS/initrd.img": "damaged",
    }


def test_a_record_that_is_not_one(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with live_of(stick) as live:
        record = stick.with_suffix(".json")
        record.write_text('{"files": [1, {"partition": "LIVE", "path": 7}, null]}')
        run("debugfs", "-w", "-R", "rm /LiveOS/image.json", live)
        run("debugfs", "-w", "-R", f"write {record} /LiveOS/image.json", live)
    assert main(["verify", str(stick)]) == ExitStatus.UNSUPPORTED
    assert "--checksum" in capsys.readouterr().err


def test_the_sum_in_an_iso(iso: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("checkisomd5", iso)
    status, document = verify(iso, capsys)
    assert (status, verdicts(document)) == (ExitStatus.DONE, {"the whole image": "good"})
    copy = tmp_path / "copy.iso"
    data = bytearray(iso.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    status, document = verify(copy, capsys)
    assert status == ExitStatus.PROBLEMS_FOUND
    assert "between bytes" in document["comparisons"][0]["remark"]
    os.truncate(copy, MIB)
    assert verify(copy, capsys)[0] == ExitStatus.PROBLEMS_FOUND


@pytest.mark.parametrize("how", [["sha256sum"], ["sha256sum", "--tag"], ["sha512sum", "--tag"]])
def test_a_file_of_sums(
    how: list[str], iso: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sums = tmp_path / "CHECKSUM"
    sums.write_bytes(b"# a remark\n" + run(*how, iso))
    status, document = verify(iso, capsys, "--checksum", sums)
    assert (status, len(document["comparisons"])) == (ExitStatus.DONE, 2)
    sums.write_text(f"{'0' * 64}  {iso.name}\n")
    assert verify(iso, capsys, "--checksum", sums)[0] == ExitStatus.PROBLEMS_FOUND
    sums.write_text(f"{'0' * 64}  another.iso\n")
    assert verify(iso, capsys, "--checksum", sums)[0] == ExitStatus.USAGE


def test_a_signed_file_of_sums(
    iso: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sums, plain = tmp_path / "CHECKSUM", tmp_path / "plain"
    plain.write_text(f"SHA256 ({iso.name}) = {hashlib.sha256(iso.read_bytes()).hexdigest()}\n")
    # The path of gpg's socket must be short.
    with TemporaryDirectory(prefix="gpg") as home:
        gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "")
        for name in ("ann", "bob"):
            run(*gpg, "--quick-generate-key", f"{name}@example.org", "ed25519")
            run(*gpg, "--output", tmp_path / name, "--export", f"{name}@example.org")
        run(*gpg, "--local-user", "ann@example.org", "--output", sums, "--clear-sign", plain)
        run("gpgconf", "--homedir", home, "--kill", "all")
    status, document = verify(iso, capsys, "--checksum", sums)
    assert status == ExitStatus.DONE
    assert "--keyring" in document["notes"][0]
    by_ann = ("--checksum", sums, "--keyring", tmp_path / "ann")
    status, document = verify(iso, capsys, *by_ann)
    assert (status, document["notes"]) == (ExitStatus.DONE, [])
    by_bob = ("--checksum", sums, "--keyring", tmp_path / "bob")
    assert verify(iso, capsys, *by_bob)[0] == ExitStatus.PROBLEMS_FOUND
    # What stands before the signed text is not signed.
    sums.write_text(f"{'0' * 64}  {iso.name}\n{sums.read_text()}")
    assert verify(iso, capsys, *by_ann)[0] == ExitStatus.DONE
    sums.write_text(sums.read_text().replace("SHA256 (", "SHA256  ("))
    assert verify(iso, capsys, *by_ann)[0] == ExitStatus.PROBLEMS_FOUND
