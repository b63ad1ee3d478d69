# SPDX-License-Identifier: Apache-2.0
"""What holds for the project as a whole: licences, mirrors, the man page, completion files."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from liveos import __version__
from liveos.cli.verbs import HOME_VERBS, OVERLAY_VERBS
from liveos.cli.verbs import VERBS as SUMMARIES
from liveos.errors import ExitStatus
from liveos.medium.model import PersistenceKind
from tests.unit.commands import ROOT, VERBS, options

CHECKOUT = Path(__file__).parents[2]
MAN_PAGE = (CHECKOUT / "man" / "liveos.8").read_text()


# Modules that no test imports, and the test file that goes through them.
TESTED_THROUGH = {
    "liveos.cli.default": "tests/unit/cli/test_verbs.py",
    "liveos.cli.devices": "tests/unit/cli/test_devices.py",
    "liveos.cli.images": "tests/unit/cli/test_verbs.py",
    "liveos.cli.inspect": "tests/unit/cli/test_verbs.py",
    "liveos.cli.install_add": "tests/tools/operations/images/test_images.py",
    "liveos.cli.list": "tests/unit/cli/test_list_view.py",
    "liveos.cli.options": "tests/unit/cli/test_verbs.py",
    "liveos.cli.proof_view": "tests/unit/cli/test_prove.py",
    "liveos.cli.prove": "tests/unit/cli/test_prove.py",
    "liveos.cli.remove": "tests/tools/operations/images/test_images.py",
    "liveos.cli.rename": "tests/unit/cli/test_verbs.py",
    "liveos.cli.render": "tests/unit/cli/test_medium_view.py",
    "liveos.cli.tools": "tests/unit/cli/test_tools.py",
    "liveos.formats.gpt": "tests/unit/formats/test_gpt_change.py",
    "liveos.cli.update": "tests/unit/cli/test_verbs.py",
    "liveos.host.disk": "tests/tools/operations/test_interrupted.py",
    "liveos.host.ext4_outline": "tests/tools/operations/home/test_resize.py",
    "liveos.host.grub": "tests/tools/operations/test_install.py",
    "liveos.host.interrupts": "tests/tools/operations/test_interrupted.py",
    "liveos.medium.boot_files": "tests/unit/medium/test_inspect.py",
    "liveos.medium.images": "tests/unit/medium/test_inspect.py",
    "liveos.medium.loaders": "tests/tools/medium/test_inspect.py",
    "liveos.medium.memory": "tests/unit/medium/test_inspect.py",
    "liveos.medium.overlay.changes.content": "tests/unit/medium/overlay/changes/test_hostile.py",
    "liveos.medium.overlay.changes.findings": "tests/unit/medium/overlay/changes/test_hostile.py",
    "liveos.medium.overlay.changes.matching": "tests/unit/medium/overlay/changes/test_hostile.py",
    "liveos.medium.overlay.changes.names": "tests/unit/medium/overlay/changes/test_hostile.py",
    "liveos.medium.payloads": "tests/unit/medium/test_inspect.py",
    "liveos.medium.root": "tests/unit/medium/test_inspect.py",
    "liveos.medium.use_at_boot": "tests/tools/medium/test_memory.py",
    "liveos.medium.warnings": "tests/unit/medium/test_inspect.py",
    "liveos.operations.home.perform.beside": "tests/tools/operations/home/test_resize.py",
    "liveos.operations.home.perform.encrypt": "tests/tools/operations/home/test_resize.py",
    "liveos.operations.home.perform.encrypt_partition": (
        "tests/tools/operations/home/test_partition.py"
    ),
    "liveos.operations.home.perform.resize": "tests/tools/operations/home/test_resize.py",
    "liveos.operations.home.perform.updates": "tests/tools/operations/home/test_at_boot.py",
    "liveos.operations.home.plans.encrypt_partition": (
        "tests/unit/operations/home/test_plans_of_changes.py"
    ),
    "liveos.operations.home.plans.mounting": "tests/tools/operations/home/test_at_boot.py",
    "liveos.operations.home.plans.record": "tests/tools/operations/home/test_at_boot.py",
    "liveos.operations.images.perform.step": "tests/tools/operations/images/test_images.py",
    "liveos.operations.images.plans.rubbish": "tests/tools/operations/images/test_images.py",
    "liveos.operations.overlay.perform.compact": "tests/tools/operations/overlay/test_compact.py",
    "liveos.operations.overlay.perform.convert": "tests/tools/operations/overlay/test_convert.py",
    "liveos.operations.overlay.perform.merge": "tests/tools/operations/overlay/test_merge.py",
    "liveos.operations.overlay.perform.step": "tests/tools/operations/overlay/test_merge.py",
    "liveos.operations.overlay.perform.whole": "tests/tools/operations/overlay/test_late.py",
    "liveos.operations.overlay.plans.compact": "tests/tools/operations/overlay/test_compact.py",
    "liveos.operations.overlay.plans.convert": "tests/tools/operations/overlay/test_convert.py",
    "liveos.operations.overlay.plans.words": "tests/tools/operations/overlay/test_late.py",
    "liveos.operations.overlay.plans.merge": "tests/tools/operations/overlay/test_merge.py",
    "liveos.operations.overlay.plans.repair": "tests/tools/operations/overlay/test_repair.py",
    "liveos.operations.overlay.upper.applying": "tests/tools/operations/overlay/test_convert.py",
    "liveos.operations.overlay.upper.items": "tests/tools/operations/overlay/test_convert.py",
    "liveos.operations.overlay.upper.needs": "tests/tools/operations/overlay/test_convert.py",
    "liveos.operations.overlay.upper.room": "tests/tools/operations/overlay/test_convert.py",
    "liveos.operations.overlay.upper.source": "tests/tools/operations/overlay/test_convert.py",
    "liveos.cli.verify": "tests/tools/operations/test_verify.py",
    "liveos.host.signature": "tests/tools/operations/test_verify.py",
    "liveos.operations.memory.perform": "tests/tools/operations/test_install_memory.py",
}


def sources(*places: str) -> list[Path]:
    return sorted(path for place in places for path in (CHECKOUT / place).rglob("*.py"))


@pytest.mark.parametrize(
    "path",
    [*sources("src", "tests", "setup", "bench"), CHECKOUT / "Makefile", CHECKOUT / ".ci" / "run"],
    ids=lambda path: str(path.relative_to(CHECKOUT)),
)
def test_every_source_names_its_licence(path: Path) -> None:
    head = path.read_text().splitlines()[:2]
    assert "# SPDX-License-Identifier: Apache-2.0" in head


def imported_by_tests() -> set[str]:
    """Every module, and every name in one, that a test file imports."""
    names: set[str] = set()
    for path in sources("tests"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def is_tested(module: str, imported: set[str]) -> bool:
    """A test imports the module, or something of the package of one format or menu around it."""
    package = module.rpartition(".")[0]
    is_inner = package.count(".") == 2
    return module in imported or (is_inner and any(name.startswith(package) for name in imported))


def test_every_module_is_tested_or_says_through_which_test() -> None:
    source = CHECKOUT / "src"
    imported = imported_by_tests()
    modules = {
        ".".join(path.relative_to(source).with_suffix("").parts)
        for path in sources("src")
        if not path.name.startswith("__")
    }
    untested = {module for module in modules if not is_tested(module, imported)}
    assert untested == set(TESTED_THROUGH)
    assert all((CHECKOUT / path).exists() for path in TESTED_THROUGH.values())


def test_the_version_is_one() -> None:
    assert tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"] == (
        __version__
    )
    assert f"## [{__version__}]" in (CHECKOUT / "CHANGELOG.md").read_text()


def section(name: str) -> str:
    return MAN_PAGE.partition(f"\n.Sh {name}\n")[2].partition("\n.Sh ")[0]


def documented(text: str) -> set[str]:
    """The options of the list items in a part of the man page."""
    items = re.findall(r"^\.It (Fl .*)$", text, re.MULTILINE)
    names = (name for item in items for name in re.findall(r"Fl (\S+)", item))
    return {f"-{name}".replace("\\-", "-") for name in names}


SHARED = options(VERBS["tools"]) - {"--check"}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_the_man_page_has_every_option_of_every_verb_and_no_other(verb: str) -> None:
    own = options(VERBS[verb]) - SHARED
    assert documented(section(verb.upper())) == own
    synopsis = section("SYNOPSIS").partition(f".Cm {verb}\n")[2].partition("\n.Nm")[0]
    shown = {f"-{name}".replace("\\-", "-") for name in re.findall(r"Fl (\S+)", synopsis)}
    assert shown == {name for name in own if name.startswith("--")}


def test_the_man_page_has_no_verb_that_does_not_exist() -> None:
    shown = re.findall(r"^\.Op Ar options\n\.Cm ([a-z ]+)", section("SYNOPSIS"), re.MULTILINE)
    assert sorted(shown) == sorted(VERBS)


def test_help_shows_for_each_verb_what_the_verb_says_itself() -> None:
    groups = {"overlay": OVERLAY_VERBS, "home": HOME_VERBS}
    inner = {
        f"{group} {name}": text for group, all_of in groups.items() for name, text in all_of.items()
    }
    summaries = {**SUMMARIES, **inner}
    for name, verb in VERBS.items():
        assert summaries[name] == verb.help.splitlines()[0]


def test_the_man_page_has_every_shared_option() -> None:
    assert documented(section("DESCRIPTION")) - {"-h", "--help"} == options(ROOT)


def test_the_man_page_has_every_exit_status_with_its_meaning() -> None:
    listed = re.findall(r"^\.It (\d+)\n(.*)$", section("EXIT STATUS"), re.MULTILINE)
    assert [(int(number), text) for number, text in listed] == [
        (int(status), status.meaning) for status in ExitStatus
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_files_are_those_that_the_program_prints(shell: str) -> None:
    environment = {**os.environ, "_LIVEOS_COMPLETE": f"source_{shell}"}
    line = [sys.executable, "-m", "liveos"]
    printed = subprocess.run(line, capture_output=True, env=environment, check=True).stdout
    file = CHECKOUT / "completions" / f"liveos.{shell}"
    assert file.read_bytes() == printed.strip() + b"\n", "run: make completions"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("liveos ins", {"inspect", "install"}),
        ("liveos install --overlay-k", {"--overlay-kind"}),
        ("liveos install --overlay-kind ", {"auto", *PersistenceKind}),
    ],
)
def test_completion_offers_what_exists(line: str, offered: set[str]) -> None:
    environment = {
        **os.environ,
        "_LIVEOS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    program = [sys.executable, "-m", "liveos"]
    answer = subprocess.run(program, capture_output=True, env=environment, check=True, text=True)
    assert set(answer.stdout.split()) == offered


def test_the_readme_names_every_verb() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    assert all(f"| `{verb}" in readme for verb in VERBS)


def test_continuous_integration_runs_nothing_that_the_readme_does_not_name() -> None:
    run = re.findall(r"\bmake [a-z-]+", (CHECKOUT / ".ci" / "run").read_text())
    assert run == ["make test"]
    assert "make test" in (CHECKOUT / "README.md").read_text()
