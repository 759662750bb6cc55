"""The tests on other days: `python -m tests.days`; `--drawn HASH`: two that the hash draws; `--only 3,7`: these.

Every date is a run of its own, two side by side, by Debian's libfaketime: the unit tests, and of the others what is
marked `calendar`. The clock is set to it and runs on in all processes that a test starts; PostgreSQL is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

ROOT = Path(__file__).parents[1]
TOGETHER = 2
SECONDS = 1_800  # of one date, at most


@dataclass(frozen=True, slots=True)
class Day:
    """When it begins there, and why it was chosen."""

    begins: str
    zone: str
    why: str

    def moment(self) -> float:
        """In seconds since 1970."""
        return datetime.fromisoformat(self.begins).replace(tzinfo=ZoneInfo(self.zone)).timestamp()

    def __str__(self) -> str:
        """As it is printed."""
        return f"{self.begins} {self.zone} ({self.why})"


DAYS = (
    Day("2026-11-30 18:10:00", "UTC", "a Monday, the last of a month; the next in Shanghai"),
    Day("2026-12-31 23:59:30", "UTC", "into another year"),
    Day("2027-01-01 00:02:00", "Asia/Shanghai", "the first of a year, the last of one elsewhere"),
    Day("2027-01-31 23:59:30", "America/New_York", "into a month that is shorter"),
    Day("2028-02-29 12:00:00", "UTC", "29 February"),
    Day("2028-02-28 23:59:30", "Asia/Shanghai", "into 29 February"),
    Day("2027-03-14 01:59:30", "America/New_York", "into summer time: an hour is left out"),
    Day("2027-11-07 01:59:30", "America/New_York", "into winter time: an hour is there twice"),
    Day("2026-12-07 08:55:00", "Asia/Shanghai", "a Monday, at the hour of weekly things"),
    Day("2027-04-01 09:00:00", "Asia/Shanghai", "the first of a quarter"),
    Day("2027-06-30 23:59:30", "America/New_York", "into a quarter"),
    Day("2027-02-28 15:59:30", "UTC", "the last of February, into March in Shanghai"),
)


class Chosen:
    """Of what was collected: the unit tests, and on SQLite what is marked `calendar`."""

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the rest."""
        wanted = [one for one in items if "tests/unit/" in one.nodeid or one.get_closest_marker("calendar")]
        kept = [one for one in wanted if "[postgresql" not in one.nodeid]
        config.hook.pytest_deselected(items=[one for one in items if one not in set(kept)])
        items[:] = kept


def drawn(word: str, count: int = 2) -> list[int]:
    """So many places in DAYS, the same ones for the same word."""
    by_lot = sorted(range(len(DAYS)), key=lambda place: hashlib.sha256(f"{word} {place}".encode()).digest())
    return sorted(by_lot[:count])


def library() -> Path:
    """Debian's libfaketime, the one for programs with threads."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        sys.exit("no libfaketime: apt-get install faketime")
    return found[0]


def files() -> list[str]:
    """The unit tests, and the files in which something is marked."""
    others = [path for folder in ("integration", "browser", "smoke") for path in (ROOT / "tests" / folder).glob("*.py")]
    marked = [path for path in others if "mark.calendar" in path.read_text(encoding="utf-8")]
    return ["tests/unit", *sorted(str(path.relative_to(ROOT)) for path in marked)]


def run(day: Day, preload: Path, arguments: list[str]) -> tuple[int, str, float]:
    """One date: how it ended, what it said, and how many seconds it took."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ, "LD_PRELOAD": str(preload), "FAKETIME": f"{day.moment() - time.time():+.0f}", "TZ": day.zone,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "PYTHONPATH": str(ROOT / "tests" / "data" / "days"),
        }  # fmt: skip
        command = [
            sys.executable, "-m", "tests.days", "--pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider",
            "--basetemp", f"{folder}/tests", *arguments, *files(),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                check=False, timeout=SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            said = error.stdout or b""
            return 1, f"{said.decode() if isinstance(said, bytes) else said}\nnot over within {SECONDS} s", SECONDS
    return done.returncode, done.stdout, time.monotonic() - begun


def main() -> int:
    """Run the dates; 1 if one of them failed."""
    if sys.argv[1:2] == ["--pytest"]:
        return int(pytest.main(sys.argv[2:], plugins=[Chosen()]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drawn", metavar="HASH", help="two dates, drawn by this")
    parser.add_argument("--only", metavar="N,N", help="these, counted from 1")
    chosen, arguments = parser.parse_known_args()
    places = list(range(len(DAYS)))
    if chosen.drawn:
        places = drawn(chosen.drawn)
    if chosen.only:
        places = [int(one) - 1 for one in chosen.only.split(",")]
    days, preload, begun = [DAYS[place] for place in places], library(), time.monotonic()
    for day in days:
        print(f"chosen: {day}")
    failed = []
    with ThreadPoolExecutor(TOGETHER) as pool:
        for day, (code, said, seconds) in zip(
            days, pool.map(lambda day: run(day, preload, arguments), days), strict=True
        ):
            if code:
                failed.append(day)
                print(said)
            last = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
            print(f"{'FAILED' if code else 'passed'} {day}: {last} [{seconds:.0f} s]", flush=True)
    print(f"{len(days) - len(failed)} of {len(days)} dates passed in {time.monotonic() - begun:.0f} s")
    for day in failed:
        print(f"failed on {day}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
