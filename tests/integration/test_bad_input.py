"""Files broken when the installation is opened or while it runs: one clear line each, and whoever can be called is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.command_handlers import CommandRefused
from domain.commands import Note
from engine.home import SAMPLE_HOME, prepare_home
from engine.installation import Installation
from playbooks.errors import BadFile
from storage.database import StorageError
from storage.settings import Settings, load_settings
from tests.installations import InstallationHarness, sqlite_installation_fixture  # noqa: F401

ROSTER = (SAMPLE_HOME / "roster.yaml").read_text(encoding="utf-8")


@pytest.fixture(name="opened")
def opened_fixture(home: Path) -> Iterator[Callable[[], Installation]]:
    """Opens the installation of the home as a starting process does."""
    settings = load_settings(home=home)
    prepare_home(settings)
    houses: list[Installation] = []

    def open_installation() -> Installation:
        houses.append(Installation(settings).open())
        return houses[-1]

    yield open_installation
    for installation in houses:
        installation.close()


def look_now(installation: Installation) -> None:
    """Not within a second, but at once."""
    installation._roster._pace._last = installation._written._pace._last = installation.library._pace._last = None
    installation._channels._looked = -10.0


def one_line(text: str, *parts: str) -> None:
    assert "\n" not in text
    for part in parts:
        assert part in text, text


def test_the_samples_have_no_findings(sqlite_installation: InstallationHarness) -> None:
    assert sqlite_installation.installation.findings() == []


def test_yaml_broken_at_a_line_names_it(opened: Callable[[], Installation], home: Path) -> None:
    lines = ROSTER.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("  alice:"))
    lines[place] = "  alice {name: Alice, channels: [alice]"
    (home / "roster.yaml").write_text("\n".join(lines), encoding="utf-8")
    installation = opened()
    with pytest.raises(BadFile) as error:
        installation.roster()
    one_line(str(error.value), f"roster.yaml:{place + 1}")
    one_line(installation.findings()[0], f"roster.yaml:{place + 1}")


def test_a_person_without_a_channel_is_named(opened: Callable[[], Installation], home: Path) -> None:
    (home / "roster.yaml").write_text(ROSTER.replace("channels: [dora]", "channels: []"), encoding="utf-8")
    installation = opened()
    with pytest.raises(BadFile, match="dora has no channel"):
        installation.roster()


def test_a_tag_that_no_channel_has_is_a_finding_and_the_others_can_still_be_called(
    opened: Callable[[], Installation], home: Path
) -> None:
    (home / "roster.yaml").write_text(ROSTER.replace("channels: [dora]", "channels: [dorra]"), encoding="utf-8")
    installation = opened()
    one_line(installation.findings()[0], "roster.yaml:", "no channel has the tag 'dorra'", "dora")
    assert installation.roster().people["dora"].channels == ("dorra",), "at the start there is nothing better"
    assert installation.roster().people["alice"].channels == ("alice",)


def test_a_tag_that_goes_wrong_while_it_runs_leaves_the_last_good_roster(
    opened: Callable[[], Installation], home: Path
) -> None:
    installation = opened()
    assert installation.roster().people["dora"].channels == ("dora",)
    (home / "roster.yaml").write_text(ROSTER.replace("channels: [dora]", "channels: [dorra]"), encoding="utf-8")
    look_now(installation)
    assert installation.roster().people["dora"].channels == ("dora",)
    one_line(installation.findings()[0], "no channel has the tag 'dorra'")
    text = (home / "channels.yaml").read_text(encoding="utf-8")
    (home / "channels.yaml").write_text(text.replace("tag: dora", "tag: dorra"), encoding="utf-8")
    look_now(installation)
    assert installation.roster().people["dora"].channels == ("dorra",), "the channels make it right"
    assert installation.findings() == []


def test_a_channel_file_broken_at_the_start_is_one_finding_and_not_one_for_every_tag(
    opened: Callable[[], Installation], home: Path
) -> None:
    (home / "channels.yaml").write_text("urls:\n  - nonsense\n", encoding="utf-8")
    installation = opened()
    (finding,) = installation.findings()
    one_line(finding, "channels.yaml, line 2")
    assert installation.roster().people["alice"].name == "Alice Zhang"
    assert installation.channels().ids() == ()


def test_a_playbook_broken_while_it_runs_leaves_the_last_good_one(sqlite_installation: InstallationHarness) -> None:
    installation = sqlite_installation
    path = installation.installation.settings.playbooks_dir / "call.yaml"
    good = path.read_text()
    for bad, said in (
        (good.replace("due: 40m", "due: 2h", 1), "due"),
        (good.replace("kind: act, title: Fix it", "kind: act, needs: [fix], title: Fix it"), "needs"),
        (good.replace("owner: technology-lead", "owner technology-lead"), "call.yaml:10"),
    ):
        path.write_text(bad)
        look_now(installation.installation)
        one_line(installation.installation.findings()[0], "call.yaml:", said)
        assert installation.declare().startswith("INC-"), "the last good version is in force"
    path.write_text(good)
    look_now(installation.installation)
    assert installation.installation.findings() == []


def test_a_role_taken_out_of_the_roster_is_named_when_an_incident_is_declared(
    sqlite_installation: InstallationHarness,
) -> None:
    installation = sqlite_installation
    path = installation.installation.settings.roster_file
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  technology-lead:", "  technology-chief:"), encoding="utf-8")
    look_now(installation.installation)
    with pytest.raises(CommandRefused) as refused:
        installation.declare()
    one_line(str(refused.value), "no role 'technology-lead'", "technology-chief")


def test_an_incident_that_runs_goes_on_with_a_role_gone(sqlite_installation: InstallationHarness) -> None:
    installation = sqlite_installation
    ref = installation.declare()
    path = installation.installation.settings.roster_file
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  technology-lead:", "  technology-chief:"), encoding="utf-8")
    look_now(installation.installation)
    installation.wait(minutes=5)
    installation.turn()
    assert installation.row(ref, purpose="commander").person == "alice"
    assert installation.do(ref, Note, "alice", text="still here").changed


def test_a_house_without_a_schema_says_how_to_begin(home: Path) -> None:
    settings: Settings = load_settings(home=home)
    with pytest.raises(StorageError, match="the database is empty: start Tocsin once with `tocsin up`"):
        Installation(settings).open()


def test_html_in_a_title_reaches_a_phone_as_it_was_written(sqlite_installation: InstallationHarness) -> None:
    title = "<script>alert(1)</script> & <b>down</b>"
    sqlite_installation.declare(title=title)
    sqlite_installation.deliver()
    (request,) = sqlite_installation.receiver.received
    assert title in request.json["message"]
