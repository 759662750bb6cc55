"""Files come into force as they are saved; a broken one leaves the good one standing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from playbooks.errors import BadFile
from playbooks.playbook_library import CATALOG, PlaybookLibrary, UnknownPlaybook
from playbooks.roster_file import RosterFile

STAGE = "{{id: s, title: S, ends: 1h, steps: [{{id: a, kind: act, title: A, owner: o}}]}}"
ONE = f"id: {{id}}\ntitle: {{title}}\nstages:\n  - {STAGE}\n"
PEOPLE = "people: {{alice: {{name: {name}, channels: [alice]}}}}\n"
ROSTER = f"{PEOPLE}roles: {{{{pr-lead: {{{{title: PR, primary: alice}}}}}}}}\n"


class Seconds:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float = 1.0) -> None:
        self.now += seconds


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, title: str, id: str = "mine", text: str | None = None) -> Path:  # noqa: A002
        path = tmp_path / name
        path.write_text(text if text is not None else ONE.format(id=id, title=title), encoding="utf-8")
        return path

    return write


def title(library: PlaybookLibrary, name: str = "mine") -> str:
    return library.get(name).title.en


def test_a_file_of_the_home_adds_to_the_catalogue(tmp_path: Path, save: Callable[..., Path]) -> None:
    shipped = len(PlaybookLibrary().all())
    save("mine.yaml", "Mine")
    library = PlaybookLibrary(tmp_path)
    assert title(library) == "Mine"
    assert len(library.all()) == shipped + 1


def test_a_file_of_the_home_replaces_a_shipped_one_by_id_and_gives_way_when_removed(
    tmp_path: Path, save: Callable[..., Path], seconds: Seconds
) -> None:
    path = save("other-name.yml", "Ours", id="service-outage")
    library = PlaybookLibrary(tmp_path, clock=seconds)
    assert title(library, "service-outage") == "Ours"
    path.unlink()
    seconds.pass_()
    assert title(library, "service-outage") == "Service outage"


def test_a_saved_file_is_in_force_a_second_later_and_not_looked_at_before(
    tmp_path: Path, save: Callable[..., Path], seconds: Seconds
) -> None:
    library = PlaybookLibrary(tmp_path, clock=seconds)
    with pytest.raises(UnknownPlaybook):
        library.get("mine")
    save("mine.yaml", "One")
    seconds.pass_(0.9)
    with pytest.raises(UnknownPlaybook):
        library.get("mine")
    seconds.pass_(0.1)
    assert title(library) == "One"


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, save: Callable[..., Path], seconds: Seconds) -> None:
    save("mine.yaml", "One")
    library = PlaybookLibrary(tmp_path, clock=seconds)
    first = library.get("mine")
    seconds.pass_()
    assert library.get("mine") is first


def test_a_broken_file_keeps_its_last_good_version_and_is_listed_until_mended(
    tmp_path: Path, save: Callable[..., Path], seconds: Seconds
) -> None:
    path = save("mine.yaml", "Good")
    library = PlaybookLibrary(tmp_path, clock=seconds)
    assert title(library) == "Good"
    save("mine.yaml", "", text="id: mine\ntitle: [\n")
    seconds.pass_()
    assert title(library) == "Good"
    (finding,) = library.findings()
    assert (finding.file, finding.line) == (str(path), 3)
    save("mine.yaml", "Mended")
    seconds.pass_()
    assert title(library) == "Mended"
    assert library.findings() == []


def test_a_file_broken_from_the_start_leaves_the_shipped_one(tmp_path: Path, save: Callable[..., Path]) -> None:
    save("service-outage.yaml", "", text="id: service-outage\n")
    library = PlaybookLibrary(tmp_path)
    assert title(library, "service-outage") == "Service outage"
    assert [finding.field for finding in library.findings()] == ["title", "stages"]


def test_a_save_within_one_tick_of_the_file_clock_is_seen(
    tmp_path: Path, save: Callable[..., Path], seconds: Seconds
) -> None:
    path = save("mine.yaml", "One")
    library = PlaybookLibrary(tmp_path, clock=seconds)
    assert title(library) == "One"
    stamp = path.stat().st_mtime_ns
    save("mine.yaml", "Two")
    os.utime(path, ns=(stamp, stamp))
    seconds.pass_()
    assert title(library) == "Two"


def test_two_files_with_one_id_are_a_finding_and_the_first_holds(tmp_path: Path, save: Callable[..., Path]) -> None:
    save("a.yaml", "First")
    save("b.yaml", "Second")
    library = PlaybookLibrary(tmp_path)
    assert title(library) == "First"
    (finding,) = library.findings()
    assert finding.reason == "mine is also the id of a.yaml"


def test_other_files_and_hidden_ones_are_left_alone(tmp_path: Path, save: Callable[..., Path]) -> None:
    for name in (".mine.yaml", "mine.yaml~", "README.md"):
        save(name, "Mine")
    assert PlaybookLibrary(tmp_path).findings() == []
    with pytest.raises(UnknownPlaybook):
        PlaybookLibrary(tmp_path).get("mine")


def test_the_catalogue_named_by_hand_is_not_read_twice() -> None:
    library = PlaybookLibrary(CATALOG, CATALOG)
    assert library.findings() == []
    assert library.all() == PlaybookLibrary().all()


def test_a_folder_that_is_not_there_is_no_mistake(tmp_path: Path) -> None:
    assert PlaybookLibrary(tmp_path / "playbooks").findings() == []


def test_a_folder_that_is_a_file_is_a_finding_and_the_catalogue_stands(tmp_path: Path) -> None:
    path = tmp_path / "playbooks"
    path.touch()
    library = PlaybookLibrary(path)
    (finding,) = library.findings()
    assert (finding.file, finding.reason) == (str(path), "cannot be read: Not a directory")
    assert library.get("service-outage")


def test_an_unknown_playbook_names_the_one_that_was_meant() -> None:
    with pytest.raises(UnknownPlaybook) as caught:
        PlaybookLibrary().get("four-hours-response")
    assert str(caught.value) == "no playbook 'four-hours-response': did you mean four-hour-response?"
    with pytest.raises(KeyError, match="one of complaint-surge, complaint-topics, customer-follow-up"):
        PlaybookLibrary().get("zzz")


def test_the_last_good_roster_stays_in_force(tmp_path: Path, seconds: Seconds) -> None:
    path = tmp_path / "roster.yaml"
    path.write_text(ROSTER.format(name="Alice"))
    file = RosterFile(path, clock=seconds)
    assert file.current().name("alice") == "Alice"
    path.write_text("people: [")
    seconds.pass_()
    assert file.current().name("alice") == "Alice"
    assert [finding.file for finding in file.findings()] == [str(path)]
    path.write_text(ROSTER.format(name="Alice Zhang"))
    seconds.pass_()
    assert file.current().name("alice") == "Alice Zhang"
    assert file.findings() == []


def test_a_roster_that_never_was_good_is_refused_with_its_findings(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read: No such file"):
        RosterFile(tmp_path / "roster.yaml").current()


def test_a_channel_taken_away_is_found_though_the_roster_did_not_change(tmp_path: Path, seconds: Seconds) -> None:
    path = tmp_path / "roster.yaml"
    path.write_text(ROSTER.format(name="Alice"))
    tags = {"alice"}
    file = RosterFile(path, lambda: frozenset(tags), clock=seconds)
    assert file.findings() == []
    tags.clear()
    seconds.pass_()
    assert [finding.reason for finding in file.findings()] == ["no channel has the tag 'alice'"]
    assert file.current().name("alice") == "Alice"
