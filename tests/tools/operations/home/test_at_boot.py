# SPDX-License-Identifier: Apache-2.0
"""What a stick of ours gets beside a home, so that an image without livesys mounts it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.host.target import look_at
from liveos.medium.home.updates import update_files
from liveos.operations.execute import execute
from liveos.operations.install.planning import InstallRequest, plan
from liveos.sizes import Size
from tests.tools.operations import nested
from tests.tools.operations.home.test_home import decrypted, opens
from tests.tools.operations.test_install import Stick
from tests.tools.operations.tiny import MIB, run
from tests.unit.operations.sources import IDENTITIES

pytestmark = pytest.mark.tools

SIZE = 384 * MIB
KEY = b"geheim"
WORD = "liveos.home=/LiveOS/home.img"


class Cut(Stick):
    """A stick, cut anew whenever it is looked at."""

    def __init__(self, path: Path, directory: Path) -> None:
        super().__init__(path, directory)
        self.directory = directory

    def now(self) -> "Cut":
        return Cut(self.path, self.directory)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISO whose root has systemd 252, cryptsetup and the user ann, but no livesys."""
    return nested.make_iso(tmp_path_factory.mktemp("nested"))


@pytest.fixture
def stick(live: Path, tmp_path: Path) -> Cut:
    target = tmp_path / "stick.img"
    request = InstallRequest(identities=IDENTITIES, size=SIZE, overlay=Size(bytes=40 * MIB))
    execute(plan(request, nested.facts(live), look_at(target, live), nested.live_system(live)))
    return Cut(target, tmp_path)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(KEY)
    return path


def home(verb: str, stick: Cut, *words: str | Path) -> int:
    return main(["home", verb, str(stick.path), "--yes", *map(str, words)])


def lines(stick: Cut) -> list[str]:
    """The kernel lines that are to open a home; the FAT is looked at as it is now.

    The second entry, which keeps nothing, never does.
    """
    fresh = stick.now()
    text = run("mcopy", "-i", fresh.esp, "::/liveos/LiveOS/menu.cfg", "-").decode()
    found = [line for line in text.splitlines() if re.match(r" +linux", line)]
    assert re.findall(r"\S*home\S*", found[1]) == ["nopersistenthome"]
    return [found[0], *found[2:]]


def live_of(stick: Cut) -> Cut:
    fresh = stick.now()
    run("e2fsck", "-f", "-n", fresh.live)
    return fresh


def dumped(stick: Cut, path: str) -> Path:
    to = stick.directory / "dumped"
    to.unlink(missing_ok=True)
    live_of(stick).debugfs(f"dump {path} {to}")
    return to


def noted(stick: Cut) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(live_of(stick).debugfs("cat /LiveOS/image.json"))
    return facts


def test_words_and_units_come_and_go(stick: Cut, key: Path) -> None:
    before, options_before = lines(stick), noted(stick)["options"]
    assert home("create", stick, "--size", "64M", "--key-file", key) == ExitStatus.DONE
    with_home = lines(stick)
    assert len(with_home) == len(before) > 2
    assert all(line.split().count(WORD) == 1 for line in with_home)
    fresh = live_of(stick)
    for file in update_files():
        assert fresh.debugfs(f"cat /updates/{file.path}").decode() == file.text
    # Users of the running system reach the stick's files.
    assert b"Mode:  0600" in fresh.debugfs("stat /LiveOS/home.img")
    assert opens(dumped(stick, "/LiveOS/home.img"), KEY)
    plain = decrypted(dumped(stick, "/LiveOS/home.img"), KEY, stick.directory)
    # The image's own user, with what the image has for her.
    assert "/040700/1000/1001/ann/" in run("debugfs", "-R", "ls -p /", plain).decode()
    assert b"# hello" in run("debugfs", "-R", "cat /ann/.profile", plain)

    record = noted(stick)
    assert record["home"]["encrypted"] is True
    assert record["home"]["size"] == 64 * MIB
    assert WORD in record["words"]
    assert WORD in record["options"].split()

    assert home("remove", stick) == ExitStatus.DONE
    assert lines(stick) == before
    assert noted(stick) == {**record, "home": None, "words": [], "options": options_before}
    left = live_of(stick).debugfs("ls -p /updates/run/systemd/system").decode()
    assert "liveos-home.service" not in left
    assert home("create", stick, "--size", "40M", "--plain") == ExitStatus.DONE
    assert all(WORD in line.split() for line in lines(stick))


def test_units_that_others_go_by_stay(stick: Cut) -> None:
    assert home("create", stick, "--size", "40M", "--plain") == ExitStatus.DONE
    fresh = stick.now()
    menu = stick.directory / "menu.cfg"
    run("mcopy", "-i", fresh.esp, "::/liveos/LiveOS/menu.cfg", menu)
    menu.write_text(menu.read_text().replace(WORD, f"{WORD} liveos.swap=/LiveOS/swap.img"))
    offset, size = partition(stick, 2)
    with stick.path.open("r+b") as file:
        file.seek(offset)
        esp = stick.directory / "esp.copy"
        esp.write_bytes(file.read(size))
        run("mcopy", "-o", "-i", esp, menu, "::/liveos/LiveOS/menu.cfg")
        file.seek(offset)
        file.write(esp.read_bytes())
    assert home("remove", stick) == ExitStatus.DONE
    assert all("liveos.swap=/LiveOS/swap.img" in line for line in lines(stick))
    assert not any(WORD in line for line in lines(stick))
    assert dumped(stick, "/updates/run/liveos-storage.sh").stat().st_size


def partition(stick: Cut, number: int) -> tuple[int, int]:
    """(offset, size) in bytes, as sfdisk tells them."""
    table = run("sfdisk", "--dump", stick.path).decode()
    row = re.search(rf"img{number} : start= *(\d+), size= *(\d+)", table)
    assert row
    return int(row[1]) * 512, int(row[2]) * 512


def test_a_partition(stick: Cut, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    how = ("--size", "rest", "--partition", "--key-file", key)
    before = stick.path.read_bytes()
    assert home("create", stick, *how) == ExitStatus.NO_SPACE
    assert bool(stick.path.read_bytes() == before)
    with stick.path.open("r+b") as file:
        file.truncate(SIZE + 100 * MIB)
    assert home("create", stick, *how) == ExitStatus.DONE
    run("sfdisk", "--verify", stick.path)
    table = run("sfdisk", "--dump", stick.path).decode()
    assert 'name="HOME"' in table
    assert "933AC7E1-2EB4-4F13-B844-0E14E2AEF915" in table
    offset, size = partition(stick, 4)
    assert size >= 92 * MIB

    def content() -> Path:
        copy = stick.directory / "partition"
        copy.write_bytes(stick.path.read_bytes()[offset : offset + size])
        return copy

    assert opens(content(), KEY)
    uuid = run("cryptsetup", "luksUUID", content()).decode().strip()
    assert all(f"liveos.home=UUID={uuid}" in line.split() for line in lines(stick))
    plain = decrypted(content(), KEY, stick.directory)
    run("e2fsck", "-f", "-n", plain)
    assert "/040700/1000/1001/ann/" in run("debugfs", "-R", "ls -p /", plain).decode()
    capsys.readouterr()
    assert main(["home", "status", str(stick.path), "--json"]) == ExitStatus.DONE
    assert uuid in capsys.readouterr().out

    assert home("remove", stick) == ExitStatus.DONE
    assert not any(content().read_bytes()[: 16 * MIB])
    assert not any("liveos.home" in line for line in lines(stick))
    # The partition waits, and is taken whatever it held.
    assert home("create", stick, "--size", "1G", "--partition", "--plain") == ExitStatus.DONE
    run("e2fsck", "-f", "-n", content())
    assert partition(stick, 4) == (offset, size)

    assert home("resize", stick, "--size", "80M") == ExitStatus.DONE
    assert noted(stick)["home"]["size"] == 80 * MIB
    assert home("encrypt", stick, "--key-file", key) == ExitStatus.DONE
    offset, size = partition(stick, 4)
    assert size == 80 * MIB
    assert opens(content(), KEY)
    uuid = run("cryptsetup", "luksUUID", content()).decode().strip()
    assert all(f"liveos.home=UUID={uuid}" in line.split() for line in lines(stick))
    record = noted(stick)["home"]
    assert record == {"path": None, "size": size, "uuid": uuid, "encrypted": True}
    (stick.directory / "header").unlink()
    run("e2fsck", "-f", "-n", decrypted(content(), KEY, stick.directory))


def test_encrypting_brings_the_unit_that_asks(stick: Cut, key: Path) -> None:
    assert home("create", stick, "--size", "40M", "--plain") == ExitStatus.DONE
    assert home("resize", stick, "--size", "44M") == ExitStatus.DONE
    assert noted(stick)["home"]["size"] == 44 * MIB
    assert home("encrypt", stick, "--key-file", key) == ExitStatus.DONE
    assert noted(stick)["home"]["encrypted"] is True
    assert opens(dumped(stick, "/LiveOS/home.img"), KEY)
    assert all(line.split().count(WORD) == 1 for line in lines(stick))
