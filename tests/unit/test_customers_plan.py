"""followup.yaml: every mistake named by its line, the last good version in force; times, texts, exports, the key."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pendulum
import pytest

from domain.customers.import_row import CustomerContact
from domain.customers.plan import compute_follow_up_times, next_check_at
from domain.spreadsheet import escape_formula
from engine.customers import wording
from engine.customers.recipient_address import _filled, _without
from playbooks.errors import BadFile
from playbooks.followup_file import FOLLOW_UP_PLAYBOOK, SHIPPED, FollowUpFile, parse_followup, shipped_followup_plan
from playbooks.playbook_library import PlaybookLibrary
from storage.customers.contact_vault import UnreadableContact, open_vault
from storage.settings import SettingsError

TEXT = SHIPPED.read_text(encoding="utf-8")
CLOSED = pendulum.datetime(2026, 3, 2, 10)


def test_what_ships_is_what_was_promised() -> None:
    plan = shipped_followup_plan()
    assert (plan.thresholds.poor_service, plan.thresholds.order_over) == (1, 50_000)
    assert (plan.remind_after, plan.collect_after) == (timedelta(hours=24), timedelta(hours=72))
    assert plan.second_aim == 0.03
    assert PlaybookLibrary().get(FOLLOW_UP_PLAYBOOK).stage("result").steps[0].opens == timedelta(hours=72)


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("order_over: 500 ", 'order_over: "500" ', "questions.order_over", "number"),
        ("poor_service: 1 ", "poor_servise: 1 ", "questions", "poor_service"),
        ("timezone: Asia/Shanghai", "timezone: Asia/Shangai", "survey.timezone", "no time zone"),
        ('from: "21:00"', 'from: "25:00"', "survey.quiet.from", "no time of day"),
        ("every: 1m ", "every: 0s ", "survey.every", "every: 1m"),
        ("per_batch: 120", "per_batch: 0", "survey.per_batch", "1"),
        ("remind_after: 24h", "remind_after: 80h", "survey.remind_after", "before the result"),
        ("erase_after: 30d", "erase_after: 1d", "contacts.erase_after", "before the result"),
        ("second_complaints: 3%", "second_complaints: 3", "second_complaints", ""),
        ("give: []", "give: [flowers]", "combinations", ""),
        ("  - {compensated: true, give: []}\n", "", "combinations", "1 of 8"),
        ("is solved: {link}", "is solved", "texts.body.en", "{link}"),
        ("mail: {tag: survey-mail", "letter: {tag: survey-mail", "survey.channels", ""),
        ("combinations:", "combinations: [", "", ""),
    ],
)
def test_a_mistake_is_named_by_file_line_and_field(old: str, new: str, field: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(BadFile) as caught:
        parse_followup(TEXT.replace(old, new), "followup.yaml")
    line = str(caught.value).splitlines()[0]
    assert line.startswith("followup.yaml:")
    assert field in line
    assert says in str(caught.value)


def test_a_broken_file_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    path, seconds = tmp_path / "followup.yaml", iter(range(100))
    file = FollowUpFile(path, clock=lambda: float(next(seconds)))
    assert file.current() == shipped_followup_plan()
    path.write_text(TEXT.replace("per_batch: 120", "per_batch: 7"), encoding="utf-8")
    assert file.current().per_batch == 7
    path.write_text("survey: [", encoding="utf-8")
    assert file.current().per_batch == 7
    assert len(file.findings()) == 1
    path.unlink()
    assert file.current() == shipped_followup_plan()
    assert file.findings() == []


def test_times_count_from_the_close_and_a_drills_pace_divides_them() -> None:
    assert compute_follow_up_times(shipped_followup_plan(), CLOSED).collect_at == CLOSED.add(hours=72)
    drill = compute_follow_up_times(shipped_followup_plan(), CLOSED, 240)
    assert (drill.collect_at, drill.erase_at) == (CLOSED.add(minutes=18), CLOSED.add(hours=3))


def test_the_next_look_is_the_first_thing_to_come_and_never_before_the_next_batch() -> None:
    soon, later = CLOSED.add(minutes=1), CLOSED.add(hours=3)
    assert next_check_at(soon, {"a": later, "b": None, "c": CLOSED.add(hours=9)}) == later
    assert next_check_at(soon, {"a": CLOSED, "b": later}) == soon


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("purpose", ["ask", "reminder"])
def test_messages_hold_the_link_and_no_braces(language: str, purpose: str) -> None:
    title, body = wording.make_survey_message(
        shipped_followup_plan(), purpose, language, "INC-1", "https://x.example/a/s/T"
    )
    assert "https://x.example/a/s/T" in body
    assert "{" not in title + body
    assert ("评价" in title) is (language == "zh_CN")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        (" =1", "' =1"),
        ("\t=1", "'\t=1"),
        ("＝1", "'＝1"),
        ("good", "good"),
        ("", ""),
        (None, ""),
        (-3.5, "-3.5"),
        (True, "True"),
        (["a", "b"], "a b"),
    ],
)
def test_nothing_in_an_export_is_a_formula(value: object, shown: str) -> None:
    assert escape_formula(value) == shown


def test_a_contact_replaces_the_stand_in_wherever_an_address_holds_it() -> None:
    value = {"targets": [(False, "c@r.invalid")], "path": "/x/c%40r.invalid/", "more": {"c@r.invalid"}, "port": 1}
    assert _filled(value, "c@r.invalid", "li@example.com") == {
        "targets": [(False, "li@example.com")], "path": "/x/li%40example.com/", "more": {"li@example.com"}, "port": 1,
    }  # fmt: skip
    assert _without("no such li%40example.com, li@example.com", "li@example.com") == "no such ***, ***"


def test_a_contact_is_sealed_under_a_key_of_its_own(tmp_path: Path) -> None:
    vault, contact = open_vault(tmp_path), CustomerContact("li@example.com", "+8613912345678")
    sealed = vault.seal(contact)
    assert "li@" not in sealed
    assert vault.seal(contact) != sealed
    assert open_vault(tmp_path).open(sealed) == contact
    assert vault.seal(CustomerContact()) == ""
    assert vault.mark("C1") == open_vault(tmp_path).mark("C1") != vault.mark("C2")
    (tmp_path / "customers.key").unlink()
    other = open_vault(tmp_path)
    assert other.mark("C1") != vault.mark("C1")
    with pytest.raises(UnreadableContact, match="restore the key"):
        other.open(sealed)


def test_a_key_from_the_environment(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    key = Fernet.generate_key().decode()
    assert open_vault(tmp_path, "K", {"K": key}).seal(CustomerContact("a@example.com"))
    assert not (tmp_path / "customers.key").exists()
    with pytest.raises(SettingsError, match="K is empty"):
        open_vault(tmp_path, "K", {})
    with pytest.raises(SettingsError, match="holds no key"):
        open_vault(tmp_path, "K", {"K": "short"})
    (tmp_path / "customers.key").write_text("rubbish")
    with pytest.raises(SettingsError, match="holds no key"):
        open_vault(tmp_path)
