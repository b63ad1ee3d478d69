# SPDX-License-Identifier: Apache-2.0
"""Whole command lines on a real live image, in processes of their own, as an ordinary user."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from liveos.errors import ExitStatus
from tests.images.cache import cached
from tests.images.recipes import RECIPES

pytestmark = pytest.mark.tools

MIB = 1 << 20
LIVEOS = (sys.executable, "-m", "liveos")

# One MiB in a fifth of a second, so that whoever interrupts it comes in time on a busy machine.
ON_A_SLOW_STICK = """
import time
from liveos.cli.main import main
from liveos.host.transfer import DurableWriter
write = DurableWriter.write
DurableWriter.write = lambda *what: time.sleep(0.2) or write(*what)
raise SystemExit(main())
"""


@pytest.fixture(scope="module")
def iso() -> Path:
    found = cached(next(recipe for recipe in RECIPES if recipe.name == "nested"))
    if not found.exists:
        pytest.skip("python3 -m tests.images nested has not been run")
    return found.iso


def liveos(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command line without a terminal."""
    line = [*LIVEOS, *map(str, words)]
    return subprocess.run(
        line, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def says(done: subprocess.CompletedProcess[str], status: ExitStatus, *words: str) -> bool:
    """Whether a run ended with a status and a sentence for people, and printed no result."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    last = [line for line in done.stderr.splitlines() if line.startswith(("liveos: ", "hint: "))]
    assert last
    return all(word in " ".join(last) for word in words)


def test_these_tests_have_no_privileges() -> None:
    if os.geteuid() == 0:
        pytest.skip("run by root; make tools runs them as nobody")
    status = Path("/proc/self/status").read_text()
    assert "CapEff:\t0000000000000000\n" in status


def test_from_an_iso_to_a_stick(iso: Path, tmp_path: Path) -> None:
    """The main job but for the boot, which is tried in tests/vm."""
    stick = tmp_path / "a stick.img"
    done = liveos("install", "--size", "1G", "--overlay", "100M", "--yes", "--json", iso, stick)
    assert done.returncode == ExitStatus.DONE, done.stderr
    assert json.loads(done.stdout)["schema"] == "liveos/install/1"
    assert list(tmp_path.iterdir()) == [stick]
    assert stick.stat().st_size == 1 << 30

    facts = json.loads(liveos("inspect", "--json", stick).stdout)
    assert facts["schema"] == "liveos/inspect/1"
    (image,) = facts["images"]
    assert image["overlay"]["kind"] == "snapshot"
    assert image["overlay"]["state"] == "blank"
    assert abs(image["overlay"]["size"] - 100 * MIB) <= 4096
    assert facts["boot"]["bios"]
    assert facts["boot"]["secure_boot"]
    assert [entry["default"] for entry in image["entries"]].count(True) == len(
        {entry["firmware"] for entry in image["entries"]}
    )
    original = json.loads(liveos("inspect", "--json", iso).stdout)["images"][0]["root"]
    assert image["root"] == original


def test_a_dry_run_is_a_plan_and_nothing_else(iso: Path, tmp_path: Path) -> None:
    words = ("install", "--size", "1G", "--dry-run", iso, tmp_path / "stick.img")
    text = liveos(*words)
    plan = json.loads(liveos(*words, "--json").stdout)
    assert text.returncode == ExitStatus.DONE
    assert plan["schema"] == "liveos/plan/1"
    assert len(plan["steps"]) > 10
    assert f"{len(plan['steps'])}. " in text.stdout
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_done_unasked(iso: Path, tmp_path: Path) -> None:
    done = liveos("install", "--size", "1G", iso, tmp_path / "stick.img")
    assert says(done, ExitStatus.REFUSED, "--yes", "--dry-run")
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_kept_without_erase(iso: Path, tmp_path: Path) -> None:
    target = tmp_path / "stick.img"
    target.write_bytes(b"precious" * 1000)
    for size in ((), ("--size", "1G")):
        done = liveos("install", *size, "--yes", iso, target)
        assert done.returncode in {ExitStatus.REFUSED, ExitStatus.NO_SPACE}
        assert target.read_bytes() == b"precious" * 1000
        assert list(tmp_path.iterdir()) == [target]


def test_the_source_is_no_target(iso: Path) -> None:
    before = sum_of(iso)
    done = liveos("install", "--erase", "--yes", iso, iso)
    assert says(done, ExitStatus.REFUSED, "source")
    assert sum_of(iso) == before


def test_the_least_size_is_named_and_enough(iso: Path, tmp_path: Path) -> None:
    target = tmp_path / "stick.img"
    words = ("install", "--overlay", "20M", "--yes", iso, target)
    done = liveos(*words, "--size", "64M")
    assert says(done, ExitStatus.NO_SPACE, "least size is ")
    assert list(tmp_path.iterdir()) == []
    least = done.stderr.rpartition("least size is ")[2].split()[0]
    assert liveos(*words, "--size", least).returncode == ExitStatus.DONE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_where_nothing_may_be_written(iso: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    done = liveos("install", "--size", "1G", "--yes", iso, closed / "stick.img")
    assert says(done, ExitStatus.NOT_PERMITTED, str(closed))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_no_error_of_usage(iso: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed.img"
    closed.touch(mode=0)
    for words in (("inspect",), ("list",), ("install", "--erase", "--yes", iso)):
        assert says(liveos(*words, closed), ExitStatus.NOT_PERMITTED, str(closed))


def test_a_damaged_source_is_not_used(iso: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.iso"
    shutil.copyfile(iso, damaged)
    with damaged.open("r+b") as file:
        file.seek(iso.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    done = liveos("install", "--size", "1G", "--yes", damaged, tmp_path / "stick.img")
    assert says(done, ExitStatus.PROBLEMS_FOUND, "damaged", "--no-verify")
    assert list(tmp_path.iterdir()) == [damaged]


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
def test_a_source_that_was_cut_off(iso: Path, tmp_path: Path, share: float) -> None:
    short = tmp_path / "short.iso"
    shutil.copyfile(iso, short)
    os.truncate(short, int(iso.stat().st_size * share))
    done = liveos("install", "--size", "1G", "--yes", short, tmp_path / "stick.img")
    assert says(done, ExitStatus.UNSUPPORTED, str(short), "end is missing", "download it again")
    assert list(tmp_path.iterdir()) == [short]
    seen = liveos("inspect", short)
    assert seen.returncode in {ExitStatus.DONE, ExitStatus.UNSUPPORTED}, seen.stderr
    assert "Traceback" not in seen.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_installation_leaves_nothing(
    iso: Path, tmp_path: Path, number: signal.Signals
) -> None:
    words = ["install", "--size", "1G", "--yes", str(iso), str(tmp_path / "stick.img")]
    line = [sys.executable, "-c", ON_A_SLOW_STICK, *words]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for printed in process.stderr:
            if "Copy" in printed:
                break
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == ExitStatus.INTERRUPTED
    assert "liveos: interrupted" in rest
    assert list(tmp_path.iterdir()) == []


def test_a_killed_installation_is_plain_to_see(iso: Path, tmp_path: Path) -> None:
    """SIGKILL leaves no time to clean up: the file must not look like a stick that boots."""
    target = tmp_path / "stick.img"
    words = ["install", "--size", "1G", "--yes", str(iso), str(target)]
    line = [sys.executable, "-c", ON_A_SLOW_STICK, *words]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for printed in process.stderr:
            if "squashfs.img" in printed:
                break
        process.kill()
    assert not target.exists()
    (left,) = tmp_path.iterdir()
    facts = json.loads(liveos("inspect", "--json", left).stdout)
    assert not facts["boot"]["secure_boot"]
    assert any("unfinished" in str(warning).lower() for warning in facts["warnings"])
    again = liveos(*words)
    assert again.returncode == ExitStatus.DONE, again.stderr
    assert list(tmp_path.iterdir()) == [target]


def test_progress_for_programs(iso: Path, tmp_path: Path) -> None:
    words = ("install", "--size", "1G", "--yes", "--progress=json", iso, tmp_path / "stick.img")
    done = liveos(*words)
    assert done.returncode == ExitStatus.DONE
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    steps = [event for event in events if event["event"] == "step"]
    assert [event["number"] for event in steps] == list(range(1, steps[0]["of"] + 1))
    for event in events:
        if event["event"] == "progress" and event["total"] is not None:
            assert 0 <= event["done"] <= event["total"]


def test_a_directory_goes_where_labels_cannot_when_the_image_needs_none(
    iso: Path, tmp_path: Path
) -> None:
    """The image is asked whether it goes by SELinux, also where no home is wished."""
    words = ("install", "--size", "1G", "--dry-run", "--overlay-kind", "directory")
    done = liveos(*words, "--filesystem", "btrfs", iso, tmp_path / "stick.img")
    assert done.returncode == ExitStatus.DONE, done.stderr
    assert "make directory LIVE:/LiveOS/overlay-" in done.stdout
