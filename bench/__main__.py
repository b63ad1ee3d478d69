# SPDX-License-Identifier: Apache-2.0
"""``python -m bench``: each measurement, its yardstick, their ratio, and the bar of the design."""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import big_iso, big_store, overlay_work
from bench.measure import Ratio, Run, copy_and_sync, in_turn, median, run
from liveos.sizes import format_size
from tests.images.cache import image
from tests.images.recipes import RECIPES

MIB = 1 << 20
GIB = 1 << 30
LIVEOS = str(Path(sys.executable).parent / "liveos")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--iso", type=Path, help="a live image; without it a 2 GiB one is made")
    parser.add_argument("--directory", type=Path, help="where to write (about 10 GiB)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="liveos-bench-", dir=arguments.directory) as name:
        scratch = Path(name)
        store = big_store.make(scratch / "overlay")
        results = [*start_up(), *big_store.measure(store), big_store.measure_nominal(scratch)]
        show(results)
        iso = arguments.iso or big_iso.make(image(RECIPES[0]).iso, 2 * GIB, scratch)
        more = [bytes_read(iso), *installation(iso, scratch), two_targets(iso, scratch)]
        more.append(addition(iso, scratch))
        show(more)
        if arguments.iso is None:
            iso.unlink()
        last = overlay_work.measure(overlay_work.make(scratch), scratch)
        show(last)
    return 0 if all(result.holds for result in [*results, *more, *last]) else 1


def start_up() -> list[Ratio]:
    """Start-up beside that of Python itself."""
    bare = [sys.executable, "-c", "pass"]
    results = []
    for option, bar in (("--version", 3.0), ("--help", 8.0)):
        yardstick, measured = in_turn(bare, [LIVEOS, option], times=25)
        results.append(
            Ratio(
                f"liveos {option}",
                f"{measured * 1000:.0f} ms",
                f"{yardstick * 1000:.0f} ms for python -c pass",
                measured / yardstick,
                bar,
            )
        )
    return results


def bytes_read(iso: Path) -> Ratio:
    """What ``inspect`` reads of an image, as the kernel counts it for this process."""
    from liveos.medium.inspect import inspect

    inspect(iso)  # once before, so that no module is read while it counts
    before = _read_so_far()
    inspect(iso)
    count = _read_so_far() - before
    return Ratio(
        f"inspect: bytes read of {format_size(iso.stat().st_size)}",
        format_size(count),
        "64 MiB",
        count / (64 * MIB),
        1.0,
    )


def installation(iso: Path, scratch: Path) -> list[Ratio]:
    """``install`` beside a copy of the same bytes to the same filesystem, three times in turn."""
    copies, installations = [], []
    for _ in range(3):
        copies.append(copy_and_sync(iso, scratch / "copy"))
        (scratch / "copy").unlink()
        installations.append(install(iso, scratch / "stick.img"))
        (scratch / "stick.img").unlink()
    copied = median(copies)
    seconds = median([each.seconds for each in installations])
    memory = max(each.peak_memory for each in installations)
    return [
        Ratio(
            "install onto a new file",
            f"{seconds:.1f} s",
            f"{copied:.1f} s for cp and sync",
            seconds / copied,
            2.0,
        ),
        Ratio(
            "install: peak memory",
            format_size(memory),
            "150 MiB",
            memory / (150 * MIB),
            1.0,
        ),
    ]


def two_targets(iso: Path, scratch: Path) -> Ratio:
    """Two sticks at once beside one, on the same disk: three times in turn."""
    alone: list[float] = []
    together: list[float] = []
    sticks = [scratch / "one.img", scratch / "two.img"]
    for _ in range(3):
        for targets, seconds in ((sticks[:1], alone), (sticks, together)):
            seconds.append(install(iso, *targets).seconds)
            for each in targets:
                each.unlink()
    one, two = median(alone), median(together)
    return Ratio("install onto two at once", f"{two:.1f} s", f"{one:.1f} s for one", two / one, 2.0)


def addition(iso: Path, scratch: Path) -> Ratio:
    """``install --add`` to a stick that has an image, beside a copy of the same bytes, in turn."""
    stick, copies, additions = scratch / "stick.img", [], []
    run([LIVEOS, "install", "--size", str(iso.stat().st_size + 2 * GIB), "--overlay", "256M",
         "--yes", str(image(RECIPES[0]).iso), str(stick)])  # fmt: skip
    for _ in range(3):
        copies.append(copy_and_sync(iso, scratch / "copy"))
        (scratch / "copy").unlink()
        line = ["install", "--add", "--name", "More", "--overlay", "256M", "--yes", str(iso)]
        additions.append(run([LIVEOS, *line, str(stick)]).seconds)
        run([LIVEOS, "remove", "--yes", f"{stick}:More"])
    stick.unlink()
    copied, seconds = median(copies), median(additions)
    return Ratio(
        "install --add beside an image",
        f"{seconds:.1f} s",
        f"{copied:.1f} s for cp and sync",
        seconds / copied,
        3.0,
    )


def install(iso: Path, *sticks: Path) -> Run:
    size = str(iso.stat().st_size + GIB)
    line = ["install", "--size", size, "--overlay", "256M", "--yes", str(iso), *map(str, sticks)]
    return run([LIVEOS, *line])


def show(results: list[Ratio]) -> None:
    for each in results:
        verdict = "holds" if each.holds else "DOES NOT HOLD"
        print(f"{each.what:36} {each.measured:>10}  against {each.yardstick:26}")
        print(f"{'':36} ratio {each.ratio:.2f}, bar {each.bar:g}: {verdict}", flush=True)


def _read_so_far() -> int:
    """``rchar`` of proc(5): bytes that this process has asked read calls for."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar:"))


if __name__ == "__main__":
    sys.exit(main())
