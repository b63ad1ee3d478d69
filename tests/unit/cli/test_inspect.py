# SPDX-License-Identifier: Apache-2.0
"""``liveos inspect`` around facts that are made up: the document, the text, where each goes."""

import json
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from liveos.medium import live_scene
from liveos.medium.model import Medium
from tests.unit.cli.media import ISO, NESTED_ISO, STICK

# What scripts rely on: the shape that the design promises. More may be there, less may not.
MEDIUM = {"kind", "label", "size", "images", "boot", "partitions", "implanted_md5", "warnings"}
IMAGE = {
    *("name", "root", "kernels", "initramfs", "entries"),
    *("persistence", "overlay", "home", "swap"),
}
ROOT = {
    *("container", "compression", "nested", "filesystem", "label", "uuid"),
    *("apparent_size", "used_size", "stored_size"),
}
ENTRY = {"title", "firmware", "kernel", "initrd", "options"}


@pytest.fixture(autouse=True)
def _made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(path: Path) -> Medium:
        return NESTED_ISO if path == ISO else STICK

    monkeypatch.setattr(live_scene, "look", look)


def test_the_document_has_the_promised_shape(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(ISO), "--json"]) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "liveos/inspect/1"
    assert set(document) >= MEDIUM
    assert document["kind"] == "iso"
    assert set(document["boot"]) >= {"bios", "uefi", "secure_boot", "loaders"}
    assert set(document["implanted_md5"]) >= {"md5", "supported"}
    (image,) = document["images"]
    assert set(image) >= IMAGE
    assert set(image["root"]) >= ROOT
    assert image["persistence"] == ["snapshot"]
    assert all(set(entry) >= ENTRY for entry in image["entries"])
    assert all(set(kernel) >= {"path", "version"} for kernel in image["kernels"])
    names = {"path", "dracut", "modules", "kernel"}
    assert all(set(initramfs) >= names for initramfs in image["initramfs"])


def test_sizes_are_bytes_and_absent_facts_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--json", "inspect", "stick.img"])
    document = json.loads(capsys.readouterr().out)
    assert document["size"] == 8 << 30
    assert document["label"] is None
    assert document["implanted_md5"] is None
    (image,) = document["images"]
    assert image["swap"] is None
    assert image["overlay"]["size"] == 2 << 30


def test_people_get_the_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(ISO)]) == ExitStatus.DONE
    out, err = capsys.readouterr()
    assert "/LiveOS/squashfs.img" in out
    assert "\x1b" not in out
    assert err == ""
