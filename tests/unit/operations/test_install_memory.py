# SPDX-License-Identifier: Apache-2.0
"""Plans for sticks with every kind of memory: what they say, and what they refuse."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.errors import LiveosError, NoSpaceError, UnsupportedError, UsageError
from liveos.host.luks import private_key
from liveos.host.tools import CRYPTSETUP
from liveos.host.volumes import ext4_capacity
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.home.user import HomeUser
from liveos.medium.model import Container, Image, PersistenceKind
from liveos.operations.install.keyed import with_key
from liveos.operations.install.planning import InstallRequest, plan
from liveos.operations.install.sizes import AUTO, Wish
from liveos.operations.install.stick import HomeRequest
from liveos.operations.plan import Plan, plan_document
from liveos.operations.steps.home import CreateHome
from liveos.operations.steps.memory import MakeHomePartition, MakeSwap, Unpack
from liveos.operations.steps.stick import MakeDirectories, Write
from liveos.operations.steps.whole_overlay import MakeImage
from liveos.sizes import Size
from tests.unit.operations.sources import (
    FLAT,
    GIB,
    IDENTITIES,
    MIB,
    NESTED,
    NEW_FILE,
    medium,
)
from tests.unit.operations.test_install import GOLDEN, as_text, menus

REQUEST = InstallRequest(identities=IDENTITIES, size=16 * GIB)
DIRECT = replace(REQUEST, overlay_kind=PersistenceKind.DIRECT)
IMAGE = replace(REQUEST, overlay_kind=PersistenceKind.IMAGE)
PLAIN = HomeRequest(Size(bytes=2 * GIB), encrypted=False)
SECRET = HomeRequest(Size(bytes=2 * GIB), encrypted=True)
FEDORA = LiveSystem(
    livesys="/usr/libexec/livesys/livesys-main", systemd=256, cryptsetup=True, plymouth=True,
    targeted=True,
)  # fmt: skip
DEBIAN_12 = LiveSystem(systemd=252, cryptsetup=True, user=HomeUser("ann", 1000, 1000))
DEBIAN_13 = replace(DEBIAN_12, systemd=257)
UUID = str(IDENTITIES.live_filesystem)


def planned(
    request: InstallRequest, image: Image = NESTED, system: LiveSystem | None = FEDORA
) -> Plan:
    return plan(request, medium(image), NEW_FILE, system)


def lines(made: Plan) -> list[list[str]]:
    """The words of the kernel lines."""
    text = menus(made)["/liveos/LiveOS/menu.cfg"]
    return [line.split() for line in text.splitlines() if line.startswith("  linux ")]


def titles(made: Plan) -> list[str]:
    text = menus(made)["/liveos/LiveOS/menu.cfg"]
    return [line.split("'")[1] for line in text.splitlines() if line.startswith("menuentry")]


CASES: dict[str, tuple[InstallRequest, LiveSystem]] = {
    "direct-with-all": (
        replace(DIRECT, home=replace(SECRET, partition=True), swap=Size(bytes=GIB)),
        FEDORA,
    ),
    "image-with-home": (
        replace(IMAGE, overlay=Size(bytes=3 * GIB), home=SECRET, swap=Size(percent=Decimal(5))),
        FEDORA,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_plans_are_as_reviewed(name: str) -> None:
    request, system = CASES[name]
    made = planned(request, system=system)
    assert as_text(made) == (GOLDEN / f"{name}.txt").read_text()
    assert planned(request, system=system) == made


class TestDirect:
    def test_the_root_is_unpacked_and_written_through(self) -> None:
        """boot-contract.md 1.6 and 2 (c)."""
        made = planned(DIRECT)
        (unpack,) = (step for step in made.steps if isinstance(step, Unpack))
        assert (unpack.place.path, unpack.size) == ("/LiveOS/rootfs.img", 6 * GIB)
        assert lines(made)[0][2:] == [
            f"root=live:UUID={UUID}", "rd.live.image", "quiet", "rw", "rd.live.overlay=none",
        ]  # fmt: skip

    def test_it_cannot_be_erased_but_can_be_left_alone(self) -> None:
        made = planned(DIRECT)
        assert titles(made) == [
            "Start Fedora Live",
            "Start Fedora Live (changes are not kept)",
            "Start Fedora Live in basic graphics mode",
        ]
        assert not any("overlay" in word for word in lines(made)[1])

    def test_dracut_112_gets_the_old_name(self) -> None:
        """Rule 4: the new one is a tmpfs there."""
        (initramfs,) = NESTED.initramfs
        new = replace(NESTED, initramfs=(replace(initramfs, dracut="112"),))
        words = lines(planned(DIRECT, new))[0]
        assert "rd.live.overlay=none" in words
        assert not any(word.startswith("rd.overlay") for word in words)

    def test_the_whole_of_the_root_must_fit(self) -> None:
        with pytest.raises(NoSpaceError, match="6 GiB of image"):
            planned(replace(DIRECT, size=4 * GIB))


def test_a_root_that_is_not_packed_is_copied_as_it_is() -> None:
    root = replace(NESTED.root, container=Container.NONE, nested=None)
    made = planned(DIRECT, replace(NESTED, root=root))
    assert not any(isinstance(step, Unpack) for step in made.steps)
    assert "LIVE: rootfs.img" in dict(made.layout)


class TestReadOnly:
    def test_the_second_entry_keeps_changes(self) -> None:
        made = planned(replace(REQUEST, readonly=True, temporary=512 * MIB))
        assert titles(made)[:3] == [
            "Start Fedora Live",
            "Start Fedora Live (changes are kept)",
            "Start Fedora Live (changes are not kept)",
        ]
        words = {"rd.live.overlay.readonly", "rd.overlay.readonly"}
        assert [words <= set(line) for line in lines(made)] == [True, False, False, True, False]
        # What is new goes to a store in memory in the first case and the third.
        sized = ["rd.live.overlay.size=512" in line for line in lines(made)]
        assert sized == [True, False, True, True, False]
        assert any("header of an empty snapshot store" in str(step) for step in made.steps)

    def test_a_directory_needs_no_header(self) -> None:
        made = planned(replace(REQUEST, readonly=True), FLAT)
        assert not any("header of an empty" in str(step) for step in made.steps)


class TestTemporary:
    def test_without_an_overlay(self) -> None:
        made = planned(replace(REQUEST, overlay=None, temporary=256 * MIB))
        assert all("rd.live.overlay.size=256" in line for line in lines(made))

    def test_beside_an_overlay_only_where_that_is_not_used(self) -> None:
        made = planned(replace(REQUEST, temporary=256 * MIB))
        sized = ["rd.live.overlay.size=256" in line for line in lines(made)]
        assert sized == [False, True, False, False]


class TestHome:
    @pytest.mark.parametrize(
        ("system", "words"),
        [
            (FEDORA, []),
            (DEBIAN_12, ["liveos.home=/LiveOS/home.img"]),
            (replace(FEDORA, plymouth=False),
             ["liveos.home=/LiveOS/home.img", "nopersistenthome"]),
        ],
    )  # fmt: skip
    def test_words_are_in_every_entry_that_keeps_changes(
        self, system: LiveSystem, words: list[str]
    ) -> None:
        """images.md 3.4; by nopersistenthome livesys leaves its home.img alone (3.2)."""
        made = planned(replace(REQUEST, home=SECRET), system=system)
        found = [[word for word in line if "home" in word] for line in lines(made)]
        assert found == [words, ["nopersistenthome"], *[words] * (len(found) - 2)]
        without_overlay = planned(replace(REQUEST, home=SECRET, overlay=None), system=system)
        assert all(
            [word for word in line if "home" in word] == words for line in lines(without_overlay)
        )
        updates = [s for s in made.steps if isinstance(s, Write) and "/updates/" in str(s.place)]
        assert bool(updates) is bool(words)

    def test_livesys_mounts_a_partition_that_is_named(self) -> None:
        home = replace(PLAIN, partition=True)
        word = f"persistenthome=UUID={IDENTITIES.home_filesystem}"
        named = [word in line for line in lines(planned(replace(REQUEST, home=home)))]
        assert named == [True, False, *[True] * (len(named) - 2)]

    def test_new_systemd_mounts_it_itself(self) -> None:
        made = planned(replace(REQUEST, home=PLAIN), system=DEBIAN_13)
        named = [any(w.startswith("systemd.mount-extra=") for w in line) for line in lines(made)]
        assert named == [True, False, *[True] * (len(named) - 2)]
        assert not any("/updates" in str(step) for step in made.steps)

    def test_the_image_s_own_user_has_a_directory(self) -> None:
        for system, user in ((FEDORA, None), (DEBIAN_12, DEBIAN_12.user)):
            made = planned(replace(REQUEST, home=PLAIN), system=system)
            (step,) = (step for step in made.steps if isinstance(step, CreateHome))
            assert step.user == user

    def test_directories_above_updates_are_made_first(self) -> None:
        made = planned(replace(REQUEST, home=PLAIN), system=DEBIAN_12)
        written = [s.place.path for s in made.steps if isinstance(s, Write)]
        ours = [path for path in written if path.startswith("/updates/")]
        (directories,) = (
            step.paths
            for step in made.steps
            if isinstance(step, MakeDirectories) and "/updates" in step.paths
        )
        seen = {"/"}
        for path in directories:
            assert path.rpartition("/")[0] in {*seen, ""}
            seen.add(path)
        assert {path.rpartition("/")[0] for path in ours} <= seen

    def test_the_key_is_nowhere_but_in_the_step(self) -> None:
        for home in (SECRET, replace(SECRET, partition=True)):
            made = planned(replace(REQUEST, home=home))
            assert CRYPTSETUP in made.needs
            with private_key("the key file k", b"correct horse\n") as key:
                keyed = with_key(made, key)
                (step,) = (s for s in keyed.steps if isinstance(s, CreateHome | MakeHomePartition))
                assert step.encryption is not None
                assert step.encryption.key is key
                assert "opened by the key file k" in str(step)
                assert "correct horse" not in repr(keyed) + str(plan_document(keyed))
                assert any("line end" in note for note in keyed.notes)
        plain = planned(replace(REQUEST, home=PLAIN))
        assert CRYPTSETUP not in plain.needs
        with private_key("k", b"x") as key:
            assert with_key(plain, key) == plain


def test_swap_is_made_where_livesys_looks() -> None:
    made = planned(replace(REQUEST, swap=Size(bytes=GIB + 1)))
    (step,) = (step for step in made.steps if isinstance(step, MakeSwap))
    assert (step.place.path, step.size, step.uuid) == ("/LiveOS/swap.img", GIB, IDENTITIES.swap)
    assert not any("swap" in word for line in lines(made) for word in line)
    made = planned(replace(REQUEST, swap=Size(bytes=GIB)), system=DEBIAN_13)
    word = "systemd.swap-extra=/run/initramfs/live/LiveOS/swap.img:nofail"
    assert all(word in line for line in lines(made))


def test_where_the_space_goes() -> None:
    home = HomeRequest(Size(percent=Decimal(25)), encrypted=False, partition=True)
    made = planned(replace(REQUEST, home=home, swap=Size(bytes=GIB)))
    table = dict(made.layout)
    assert list(table) == [
        "BIOS boot", "ESP", "LIVE", "HOME", "ESP: kernel, initramfs, loaders",
        "LIVE: squashfs.img", "LIVE: overlay", "LIVE: swap.img", "LIVE: free",
    ]  # fmt: skip
    assert table["LIVE: swap.img"] == GIB
    inside = sum(size for what, size in made.layout if what.startswith("LIVE: "))
    assert table["LIVE"] * 0.97 < inside < table["LIVE"]
    assert 0.24 < table["HOME"] / (table["LIVE"] + table["HOME"] - 900 * MIB) < 0.26


NO_WAY = LiveSystem(livesys=None, systemd=None)
OLD = replace(NESTED, initramfs=(replace(NESTED.initramfs[0], dracut="044"),))
REFUSED: dict[str, tuple[InstallRequest, Image, LiveSystem | None, type[LiveosError], str]] = {
    "kind without overlay": (
        replace(IMAGE, overlay=None), NESTED, FEDORA, UsageError, "none of the kind image"),
    "read-only nothing": (
        replace(REQUEST, overlay=None, readonly=True), NESTED, FEDORA, UsageError, "read-only"),
    "sized root": (
        replace(DIRECT, overlay=Size(bytes=GIB)), NESTED, FEDORA, UsageError, "--overlay"),
    "odd temporary": (
        replace(REQUEST, temporary=MIB + 1), NESTED, FEDORA, UsageError, "whole MiB"),
    "direct of flat": (DIRECT, FLAT, FEDORA, UnsupportedError, "no filesystem in it"),
    "snapshot of flat": (
        replace(REQUEST, overlay_kind=PersistenceKind.SNAPSHOT), FLAT, FEDORA, UnsupportedError,
        "no block device"),
    "unpacked flat": (
        replace(REQUEST, uncompressed=True), FLAT, FEDORA, UnsupportedError, "holds the root"),
    "temporary of flat": (
        replace(REQUEST, temporary=GIB), FLAT, FEDORA, UnsupportedError, "no effect"),
    "read-only direct": (
        replace(DIRECT, readonly=True), NESTED, FEDORA, UnsupportedError, "written through"),
    "read-only of 044": (
        replace(REQUEST, readonly=True), OLD, FEDORA, UnsupportedError, "dracut 044"),
    "no cryptsetup": (
        replace(REQUEST, home=SECRET), NESTED, replace(FEDORA, cryptsetup=False),
        UnsupportedError, "--plain-home"),
    "no way home": (
        replace(REQUEST, home=PLAIN), NESTED, NO_WAY, UnsupportedError, "leave out --home"),
    "unread root": (replace(REQUEST, home=PLAIN), NESTED, None, UnsupportedError, "cannot be read"),
    "no way to swap": (
        replace(REQUEST, swap=Size(bytes=GIB)), NESTED, NO_WAY, UnsupportedError, "--swap"),
    "home too large": (
        replace(REQUEST, home=replace(PLAIN, size=Size(bytes=20 * GIB))), NESTED, FEDORA,
        NoSpaceError, "20 GiB of home"),
    "home partition too large": (
        replace(REQUEST, home=HomeRequest(Size(bytes=20 * GIB), partition=True)), NESTED, FEDORA,
        NoSpaceError, "least size"),
    "home too small": (
        replace(REQUEST, home=replace(PLAIN, size=Size(bytes=MIB))), NESTED, FEDORA,
        NoSpaceError, "32M"),
    "swap too large": (
        replace(REQUEST, swap=Size(bytes=20 * GIB)), NESTED, FEDORA, NoSpaceError, "least size"),
    "shares of all": (
        replace(REQUEST, overlay=Size(percent=Decimal(60)), swap=Size(percent=Decimal(60))),
        NESTED, FEDORA, UsageError, "120%"),
    "two rests": (
        replace(REQUEST, overlay=Size(), swap=Size()), NESTED, FEDORA, UsageError, "only one"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_have_their_kind_and_help(case: str) -> None:
    request, image, system, kind, words = REFUSED[case]
    with pytest.raises(kind) as caught:
        planned(request, image, system)
    assert type(caught.value) is kind
    assert words in f"{caught.value.message} {caught.value.hint}"


WISHES = st.one_of(
    st.none(),
    st.just(AUTO),
    st.integers(64 * MIB, 12 * GIB).map(lambda size: Size(bytes=size)),
    st.integers(1, 33).map(lambda share: Size(percent=Decimal(share))),
)
HOMES = st.one_of(
    st.none(),
    st.builds(HomeRequest, WISHES.filter(bool), encrypted=st.booleans(), partition=st.booleans()),
)
KINDS = st.sampled_from([None, PersistenceKind.DIRECTORY, PersistenceKind.IMAGE])


def planned_or_least(request: InstallRequest) -> tuple[Plan | None, int]:
    """A plan; or none, and the least size that the refusal names."""
    try:
        return planned(request), 0
    except NoSpaceError as error:
        words = str(error.hint).removeprefix("the least size is ")
        return None, int(words.removesuffix("M")) * MIB


@given(st.integers(0, 20 * GIB), WISHES, HOMES, WISHES, KINDS)
def test_all_fits_or_the_least_size_is_enough(
    size: int,
    overlay: Wish,
    home: HomeRequest | None,
    swap: Wish,
    kind: PersistenceKind | None,
) -> None:
    kind = None if overlay is None else kind
    request = replace(
        REQUEST, size=size // 512 * 512, overlay=overlay, home=home, swap=swap, overlay_kind=kind
    )
    made, least = planned_or_least(request)
    if made is None:
        assert least > size
        made = planned(replace(request, size=least))
    table = dict(made.layout)
    inside = sum(each for what, each in made.layout if what.startswith("LIVE: "))
    assert inside <= ext4_capacity(table["LIVE"])
    if home is not None and home.partition:
        assert table["HOME"] % (4 * MIB) == 0
        if isinstance(home.size, Size) and home.size.bytes is not None:
            assert home.size.bytes <= table["HOME"] < home.size.bytes + 4 * MIB
    if isinstance(overlay, Size) and overlay.bytes and kind is PersistenceKind.IMAGE:
        (step,) = (step for step in made.steps if isinstance(step, MakeImage))
        assert overlay.bytes - 4096 < step.size <= overlay.bytes
