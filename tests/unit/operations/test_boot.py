# SPDX-License-Identifier: Apache-2.0
"""Where a guest shows itself, and what of the target may change; QEMU is not started."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import UsageError
from liveos.host.machine.qemu import Accelerator
from liveos.host.tools import Command
from liveos.operations import boot as module
from liveos.operations.boot import BootRequest, Screen, boot
from liveos.operations.guests.menu_edits import MenuEdits
from liveos.report import Finding, NullReporter


class Recorder(NullReporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def finding(self, finding: Finding) -> None:
        self.messages.append(finding.message)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """The commands that would have been run; this host has a gtk window but no desktop."""
    commands: list[Command] = []
    monkeypatch.setattr(module, "interact", commands.append)
    monkeypatch.setattr(module, "displays", lambda: frozenset({"none", "gtk"}))
    monkeypatch.setattr(module, "make_layer", lambda *_: None)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return commands


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    path = tmp_path / "stick.img"
    path.write_bytes(bytes(1 << 16))
    return path


def request(screen: Screen = Screen.AUTO, *, snapshot: bool = False) -> BootRequest:
    return BootRequest(screen=screen, snapshot=snapshot, accelerator=Accelerator.TCG)


def test_without_a_desktop_it_is_the_serial_console(started: list[Command], stick: Path) -> None:
    boot(stick, request())
    assert "-display none" in str(started[0])
    assert "stdio,id=serial0" in str(started[0])


def test_a_desktop_gets_a_window(
    started: list[Command], stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":7")
    boot(stick, request())
    assert "-display gtk" in str(started[0])
    assert ("DISPLAY", ":7") in started[0].environment


def test_where_no_window_can_open_people_are_told_where_to_look(
    started: list[Command], stick: Path
) -> None:
    reporter = Recorder()
    boot(stick, request(Screen.WINDOW), reporter)
    assert "-display vnc=127.0.0.1:" in str(started[0])
    assert "127.0.0.1:59" in reporter.messages[0]


def test_the_target_itself_is_booted_unless_a_snapshot_is_asked_for(
    started: list[Command], stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "edit_menus", lambda *_: MenuEdits())
    boot(stick, request())
    boot(stick, request(snapshot=True))
    assert f"file={stick},readonly=off" in str(started[0])
    assert str(stick) not in str(started[1])
    assert "layer.qcow2,readonly=off,cache=unsafe" in str(started[1])


def test_only_a_snapshot_on_a_serial_console_gets_other_words(
    started: list[Command], stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def edit(
        _medium: Path, _directory: Path, words: tuple[str, ...], entry: int | None
    ) -> MenuEdits:
        assert entry is None
        asked.append(words)
        return MenuEdits()

    monkeypatch.setattr(module, "edit_menus", edit)
    boot(stick, request(Screen.VNC, snapshot=True))
    boot(stick, request(Screen.SERIAL))
    assert asked == []
    boot(stick, request(Screen.SERIAL, snapshot=True))
    assert asked == [("console=tty0", "console=ttyS0,115200")]


def test_a_named_image_needs_another_menu_and_so_a_snapshot(
    started: list[Command], stick: Path
) -> None:
    with pytest.raises(UsageError, match="which image starts") as caught:
        boot(stick, replace(request(), image="LiveOS"))
    assert "--snapshot" in str(caught.value.hint)
    assert started == []


def test_a_read_only_target_is_named_with_the_way_out(
    started: list[Command], stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="read-only") as caught:
        boot(stick, request())
    assert "--snapshot" in str(caught.value.hint)
    assert started == []


def test_a_target_that_is_not_there(started: list[Command], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not an image file or device"):
        boot(tmp_path / "none.img", request())
