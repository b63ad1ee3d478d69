# SPDX-License-Identifier: Apache-2.0
"""Plans as text, and what must hold for each of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.errors import (
    LiveosError,
    NoSpaceError,
    NotPermittedError,
    RefusedError,
    UnsupportedError,
    UsageError,
)
from liveos.host.target import Content, Target, TargetKind
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.model import Boot, Image, Medium, PersistenceKind
from liveos.operations.install.filesystems import Btrfs, Fat32, Xfs
from liveos.operations.install.layout import Table
from liveos.operations.install.planning import InstallRequest, plan
from liveos.operations.plan import Plan, plan_document
from liveos.operations.steps.stick import Copy, CreateImage, InstallCore, MakeUnbootable, Write
from liveos.sizes import Size
from tests.unit.operations.sources import (
    DEVICE,
    FLAT,
    GIB,
    IDENTITIES,
    ISO,
    MIB,
    NESTED,
    NEW_FILE,
    OLD_FILE,
    TARGET,
    loader,
    medium,
)

GOLDEN = Path(__file__).parent / "golden"
REQUEST = InstallRequest(identities=IDENTITIES, size=8 * GIB, overlay=Size(bytes=2 * GIB))
ON_DEVICE = replace(REQUEST, size=None, erase=True)
OLD_CONTENT = (Content('partition 1 "EFI", 512 MiB: vfat, label "SYSTEM"', 8 * MIB),)


def as_text(made: Plan) -> str:
    """A plan as a dry run shows it."""
    lines = [made.title]
    lines += [f"destroys: {sentence}" for sentence in made.destroys]
    lines += [f"note: {sentence}" for sentence in made.notes]
    lines += [f"{size:>12} {what}" for what, size in made.layout]
    lines += [f"{number:>2} {step}" for number, step in enumerate(made.steps, 1)]
    return "".join(f"{line}\n" for line in lines)


CASES: dict[str, tuple[InstallRequest, Image, Target]] = {
    "nested-file": (REQUEST, NESTED, NEW_FILE),
    "flat-device": (
        replace(ON_DEVICE, overlay=Size()),
        FLAT,
        replace(DEVICE, contents=OLD_CONTENT),
    ),
    "forgetful-uefi": (
        replace(REQUEST, overlay=None, bios=False, label="FORGETFUL", name="f36"),
        NESTED,
        NEW_FILE,
    ),
    "btrfs-file": (
        replace(REQUEST, overlay=Size(), filesystem=Btrfs()),
        FLAT,
        NEW_FILE,
    ),
    "xfs-msdos-device": (
        replace(ON_DEVICE, filesystem=Xfs(), table=Table.MSDOS),
        NESTED,
        replace(DEVICE, contents=OLD_CONTENT),
    ),
    "single-fat": (
        replace(REQUEST, single=True, filesystem=Fat32(), label="SMALL"),
        NESTED,
        NEW_FILE,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_plans_are_as_reviewed(name: str) -> None:
    request, image, target = CASES[name]
    system = LiveSystem(systemd=252) if request.filesystem.copies else None
    text = as_text(plan(request, medium(image), target, system))
    assert text == (GOLDEN / f"{name}.txt").read_text()


def test_the_same_facts_give_the_same_plan() -> None:
    assert plan(REQUEST, medium(), NEW_FILE) == plan(REQUEST, medium(), NEW_FILE)


def test_a_plan_is_data() -> None:
    document = plan_document(plan(REQUEST, medium(), NEW_FILE))
    assert json.loads(json.dumps(document))["schema"] == "liveos/plan/1"


def menus(made: Plan) -> dict[str, str]:
    return {step.place.path: step.text for step in made.steps if isinstance(step, Write)}


def test_the_menu_starts_with_memory_and_without_the_media_check() -> None:
    text = menus(plan(REQUEST, medium(), NEW_FILE))["/liveos/LiveOS/menu.cfg"]
    titles = [line.split("'")[1] for line in text.splitlines() if line.startswith("menuentry")]
    assert titles == [
        "Start Fedora Live",
        "Start Fedora Live (changes are not kept)",
        "Start Fedora Live in basic graphics mode",
        "Erase all changes, then: Start Fedora Live",
    ]
    lines = [line for line in text.splitlines() if line.startswith("  linux ")]
    first, second, third, fourth = lines
    assert ["rd.live.overlay.reset" in line.split() for line in lines] == [False] * 3 + [True]
    assert fourth.replace(" rd.live.overlay.reset", "") == first
    uuid = IDENTITIES.live_filesystem
    overlay = f"rd.live.overlay=UUID={uuid}:/LiveOS/overlay-Fedora-WS-Live-{uuid}"
    assert f"root=live:UUID={uuid}" in first
    assert overlay in first
    assert "rd.live.overlay" not in second
    assert "nomodeset" in third
    assert overlay in third
    assert "rd.live.check" not in text
    assert "CDLABEL" not in text


def test_an_entry_that_only_checks_is_used_without_the_check() -> None:
    image = replace(NESTED, entries=NESTED.entries[:1])
    text = menus(plan(REQUEST, medium(image), NEW_FILE))["/liveos/LiveOS/menu.cfg"]
    assert text.startswith("menuentry 'start Fedora Live' {")


def loaders(made: Plan) -> list[str]:
    copied = [step.place.path for step in made.steps if isinstance(step, Copy)]
    return [path for path in copied if path.startswith("/EFI/")]


def test_loaders_have_one_name_each_and_no_fallback() -> None:
    made = plan(REQUEST, medium(), NEW_FILE)
    assert loaders(made) == [
        "/EFI/BOOT/GRUBX64.EFI",
        "/EFI/BOOT/MMX64.EFI",
        "/EFI/BOOT/BOOTX64.EFI",  # the firmware starts this one, so it comes last
    ]


@pytest.mark.parametrize(
    "path", ["/EFI/BOOT/../evil.efi/x\n.EFI", "/EFI/fedora/shimx64.efi", "/EFI/BOOT/FBIA32.EFI"]
)
def test_what_is_no_loader_of_a_removable_disk_is_not_copied(path: str) -> None:
    boot = Boot(bios=True, uefi=("x64",), secure_boot=True, loaders=(loader(path),))
    made = plan(REQUEST, medium(boot=boot), NEW_FILE)
    assert loaders(made) == []
    assert any("BIOS only" in note for note in made.notes)


def test_boot_code_comes_after_everything_that_it_could_start() -> None:
    kinds = [type(step).__name__ for step in plan(REQUEST, medium(), NEW_FILE).steps]
    assert kinds[-4:] == ["Remove", "Sync", "WriteBootCode", "Publish"]
    first_loader = next(
        number
        for number, step in enumerate(plan(REQUEST, medium(), NEW_FILE).steps)
        if isinstance(step, Copy) and step.place.path.startswith("/EFI")
    )
    assert kinds.index("ReadBack") < first_loader


def test_a_device_is_first_made_unbootable() -> None:
    target = replace(DEVICE, contents=OLD_CONTENT)
    made = plan(ON_DEVICE, medium(), target)
    wipe = made.steps[1]
    assert isinstance(wipe, MakeUnbootable)
    starts = {start for start, _ in wipe.regions}
    assert {0, 8 * MIB, 8 * GIB - MIB} <= starts
    assert made.destroys == (
        "everything on /dev/sdz (8 GiB)",
        'partition 1 "EFI", 512 MiB: vfat, label "SYSTEM"',
    )


def test_a_file_with_size_is_replaced_only_when_the_new_one_is_complete() -> None:
    made = plan(replace(REQUEST, erase=True), medium(), OLD_FILE)
    created = [step for step in made.steps if isinstance(step, CreateImage)]
    assert [step.path for step in created] == [TARGET.with_name("stick.img.part")]
    assert not any(isinstance(step, MakeUnbootable) for step in made.steps)


def test_without_bios_no_grub_is_needed() -> None:
    made = plan(replace(REQUEST, bios=False), medium(), NEW_FILE)
    assert not any(isinstance(step, InstallCore) for step in made.steps)
    assert made.needs_files == ()
    assert all("grub" not in tool.name for tool in made.needs)


def test_a_source_without_a_sum_is_said() -> None:
    made = plan(REQUEST, medium(implanted_md5=None), NEW_FILE)
    assert any("no implanted MD5" in note for note in made.notes)


REFUSED: dict[str, tuple[InstallRequest, Medium, Target, type[LiveosError], str]] = {
    "exists": (REQUEST, medium(), OLD_FILE, RefusedError, "--erase"),
    "in use": (
        ON_DEVICE,
        medium(),
        replace(DEVICE, in_use="/dev/sdz1 is mounted on /"),
        RefusedError,
        "mounted on /",
    ),
    "source": (ON_DEVICE, medium(), replace(OLD_FILE, is_source=True), RefusedError, "source"),
    "directory": (
        ON_DEVICE,
        medium(),
        Target(TARGET, TargetKind.OTHER, writable=False),
        RefusedError,
        "neither",
    ),
    "read-only": (
        ON_DEVICE,
        medium(),
        replace(OLD_FILE, writable=False),
        NotPermittedError,
        "cannot be written",
    ),
    "no parent": (
        REQUEST,
        medium(),
        replace(NEW_FILE, parent_exists=False),
        UsageError,
        "does not exist",
    ),
    "no size": (replace(REQUEST, size=None), medium(), NEW_FILE, UsageError, "--size"),
    "odd size": (replace(REQUEST, size=8 * GIB + 1), medium(), NEW_FILE, UsageError, "sectors"),
    "device and size": (REQUEST, medium(), DEVICE, UsageError, "--size"),
    "4096": (ON_DEVICE, medium(), replace(DEVICE, sector_size=4096), UnsupportedError, "4096"),
    "part": (
        REQUEST,
        medium(),
        replace(NEW_FILE, part=TargetKind.FILE),
        RefusedError,
        "in the way",
    ),
    "host full": (REQUEST, medium(), replace(NEW_FILE, free=100 * MIB), NoSpaceError, "100 MiB"),
    "odd name": (
        REQUEST,
        medium(),
        replace(NEW_FILE, path=Path("/srv/what?.img")),
        UsageError,
        "another name",
    ),
    "no image": (REQUEST, medium(images=()), NEW_FILE, UnsupportedError, "no LiveOS image"),
    "two images": (REQUEST, medium(images=(NESTED, FLAT)), NEW_FILE, UsageError, "several"),
    "no entry": (
        REQUEST,
        medium(replace(NESTED, entries=())),
        NEW_FILE,
        UnsupportedError,
        "no boot entry",
    ),
    "no kernel": (
        REQUEST,
        medium(replace(NESTED, kernels=())),
        NEW_FILE,
        UnsupportedError,
        "no kernel",
    ),
    "not streamable": (
        REQUEST,
        medium(replace(NESTED, root=replace(NESTED.root, file=None))),
        NEW_FILE,
        UnsupportedError,
        "without mounting",
    ),
    "nothing boots": (
        replace(REQUEST, bios=False),
        medium(boot=Boot(bios=True, uefi=(), secure_boot=False)),
        NEW_FILE,
        UnsupportedError,
        "nothing would boot",
    ),
    "snapshot of flat": (
        replace(REQUEST, overlay_kind=PersistenceKind.SNAPSHOT),
        medium(FLAT),
        NEW_FILE,
        UnsupportedError,
        "no block device",
    ),
    "blank in label": (replace(REQUEST, label="MY LIVE"), medium(), NEW_FILE, UsageError, "blank"),
    "slash in label": (replace(REQUEST, label="a/b"), medium(), NEW_FILE, UsageError, "slash"),
    "long label": (replace(REQUEST, label="x" * 17), medium(), NEW_FILE, UsageError, "16"),
    "name": (replace(REQUEST, name="../LiveOS"), medium(), NEW_FILE, UsageError, "name"),
    "small": (replace(REQUEST, size=GIB), medium(), NEW_FILE, NoSpaceError, "least size"),
    "tiny": (replace(REQUEST, size=64 * MIB), medium(), NEW_FILE, NoSpaceError, "least size"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_have_their_kind_and_help(case: str) -> None:
    request, source, target, kind, words = REFUSED[case]
    with pytest.raises(kind) as caught:
        plan(request, source, target)
    assert type(caught.value) is kind
    assert words in f"{caught.value.message} {caught.value.hint}"


@given(st.integers(min_value=0, max_value=20 * GIB), st.integers(0, 8 * GIB), st.booleans())
def test_the_least_size_that_is_named_is_enough(size: int, overlay: int, flat: bool) -> None:
    wish = Size(bytes=overlay) if overlay >= 16 * MIB else None
    request = replace(REQUEST, size=size // 512 * 512, overlay=wish)
    source = medium(FLAT if flat else NESTED)
    error = refusal(request, source)
    if error is not None:
        assert error.hint is not None
        least = int(error.hint.removeprefix("the least size is ").removesuffix("M"))
        assert least * MIB > size
        plan(replace(request, size=least * MIB), source, NEW_FILE)


def refusal(request: InstallRequest, source: Medium) -> NoSpaceError | None:
    try:
        plan(request, source, NEW_FILE)
    except NoSpaceError as error:
        return error
    return None


def test_the_source_is_not_named_as_lost() -> None:
    assert str(ISO) not in " ".join(plan(REQUEST, medium(), NEW_FILE).destroys)


@pytest.mark.parametrize(
    ("volume", "label"),
    [
        ("Fedora-WS-Live-42", "Fedora-WS-Live"),
        ("Fedora-KDE-41", "Fedora-KDE-41"),
        ("Fedora-14-x86_64-Live-Desktop.is", "Fedora-14-x86_64"),
        ("openSUSE_Leap_15.2_KDE_Live", "openSUSE_Leap"),
        ("A label with blanks", "A-label-with"),
        ("Unbrokenlongnameofadisk", "Unbrokenlongname"),
        ("/:", "LIVE"),
        (None, "LIVE"),
    ],
)
def test_a_label_is_cut_between_words(volume: str | None, label: str) -> None:
    made = str(plan(REQUEST, medium(label=volume), NEW_FILE).steps)
    assert f"'-L', '{label}'" in made
