"""Contacts: sealed while they are needed, and after that no byte of them anywhere in the home."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, text

from domain.command_handlers import CommandRefused
from domain.commands import Cancel, Reopen
from domain.customers.import_row import COLUMNS
from engine.customers import survey_answers
from storage.customers import affected_customers
from tests.customers import FollowUp, customer_installation, row
from tests.installations import InstallationHarness

MAIL, PHONE = "wang.xiaoming.8831@example.com", "+8613912345678"


def everything(home: Path) -> dict[str, bytes]:
    """Every file of the home."""
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def holding(home: Path, *secrets: str) -> dict[str, str]:
    """The files in which any of these stands, in any form that a program may have written."""
    forms = {
        form: secret
        for secret in secrets
        for form in (
            secret.encode(), secret.encode("utf-16-le"), json.dumps(secret).encode(),
            base64.b64encode(secret.encode()).rstrip(b"="), secret.replace("@", "%40").replace("+", "%2B").encode(),
        )
    }  # fmt: skip
    return {name: secret for name, data in everything(home).items() for form, secret in forms.items() if form in data}


def sealed(installation: InstallationHarness) -> list[str]:
    with installation.installation.database.read() as connection:
        return list(connection.execute(text("SELECT sealed FROM customer_contact")).scalars())


def followed(installation: InstallationHarness) -> FollowUp:
    installation.now = installation.now.set(hour=10)
    follow = FollowUp(installation)
    follow.take([row(1, contact=f"{MAIL}; {PHONE}"), *(row(n) for n in range(2, 60))])
    follow.close()
    follow.step()
    assert MAIL in follow.asked()
    return follow


def test_a_contact_is_nowhere_in_clear_while_it_is_used(home: Path) -> None:
    with customer_installation(home) as installation:
        follow = followed(installation)
        installation.receiver.script("/mail/", status=500)
        follow.run_until(26)
        assert holding(home, MAIL, PHONE) == {}
        everywhere = str(installation.rows(follow.ref)) + str(installation.facts(follow.ref))
        assert MAIL not in everywhere
        with installation.installation.database.read() as connection:
            outbox = str(connection.execute(text("SELECT * FROM outbox")).all())
        assert MAIL not in outbox
        assert PHONE not in outbox


def test_the_search_finds_what_is_there(home: Path) -> None:
    (home / "leak.log").write_text(f"sent to {MAIL}")
    assert holding(home, MAIL, PHONE) == {"leak.log": MAIL}


def test_the_key_is_for_its_owner_alone_and_another_key_opens_nothing(home: Path) -> None:
    with customer_installation(home) as installation:
        follow = followed(installation)
        key = home / "customers.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert MAIL not in str(sealed(installation))
        assert follow.service.open_vault().open(sealed(installation)[0])


def test_forgotten_nothing_is_left_but_the_count(home: Path) -> None:
    with customer_installation(home) as installation:
        follow = followed(installation)
        follow.answer(follow.tokens()[MAIL], csat="2", suggestion=f"write to {MAIL}")
        with installation.installation.database.read() as connection:
            mark = follow.service.open_vault().mark("C1")
            mine = affected_customers.find_customer(connection, follow.id, "C1", mark)
            cipher = affected_customers.get_sealed_contact(connection, mine.id)
        assert holding(home, cipher) != {}, "it is there, sealed"
        assert holding(home, MAIL) != {}, "a customer may write anything into a suggestion"
        assert survey_answers.forget_customer(follow.service, "C1") == 1
        assert holding(home, MAIL, PHONE, cipher, cipher[20:60]) == {}
        assert "C1" not in follow.customers()
        with installation.installation.database.read() as connection:
            result = affected_customers.compute_result(connection, follow.id)
        assert (result.customers, result.answered, result.suggestions) == (59, 1, 0)
        assert survey_answers.forget_customer(follow.service, "C1") == 1, "again, and nothing changes"
        assert survey_answers.forget_customer(follow.service, "C404") == 0


def every_row(installation: InstallationHarness) -> str:
    """Every row of every table, as text."""
    with installation.installation.database.read() as connection:
        tables = MetaData()
        tables.reflect(connection)
        return "".join(str(connection.execute(table.select()).all()) for table in tables.sorted_tables)


def test_in_no_row_of_any_table_on_either_database(home: Path, database_url: str) -> None:
    with customer_installation(home, database_url) as installation:
        follow = followed(installation)
        with installation.installation.database.read() as connection:
            mine = affected_customers.find_customer(connection, follow.id, "C1", follow.service.open_vault().mark("C1"))
            cipher = affected_customers.get_sealed_contact(connection, mine.id)
        assert cipher in every_row(installation), "the search finds it, sealed"
        assert MAIL not in every_row(installation)
        survey_answers.forget_customer(follow.service, "C1")
        assert not any(one in every_row(installation) for one in (cipher, MAIL, PHONE, "'C1'"))
        others = sealed(installation)
        follow.run_until(24 * 31)
        left = every_row(installation)
        assert [one for one in others if one in left] == []
        assert "c2@example.com" not in left


@pytest.mark.parametrize("reader", [False, True])
def test_what_was_erased_leaves_the_files_though_somebody_reads(
    home: Path, database_url: str, caplog: pytest.LogCaptureFixture, reader: bool
) -> None:
    """A backup that reads for long must not hold up senders; that the bytes are still there is said."""
    with customer_installation(home, database_url) as installation:
        follow = followed(installation)
        (cipher, *_rest) = sealed(installation)
        held = installation.installation.database.engine.connect()
        if reader:
            held.execute(text("SELECT count(*) FROM customer_contact")).all()
        assert survey_answers.forget_customer(follow.service, "C1") == 1
        held.close()
        assert ("somebody reads for long" in caplog.text) is reader
        if not reader and not database_url:
            assert holding(home, cipher, MAIL) == {}


def test_a_forgotten_customer_is_not_taken_in_again_nor_asked(home: Path) -> None:
    with customer_installation(home) as installation:
        installation.now = installation.now.set(hour=10)
        follow = FollowUp(installation)
        follow.take([row(1, contact=MAIL), row(2)])
        survey_answers.forget_customer(follow.service, "C1")
        taken = follow.take([row(1, contact=MAIL)])
        assert (taken.taken, taken.known) == (0, 1)
        follow.close()
        follow.step()
        assert follow.asked() == ["c2@example.com"]
        assert holding(home, MAIL) == {}


def test_forgotten_between_claim_and_send_it_is_not_sent(home: Path) -> None:
    with customer_installation(home) as installation:
        installation.now = installation.now.set(hour=10)
        follow = FollowUp(installation)
        follow.take([row(1)])
        follow.close()
        assert follow.tick()
        survey_answers.forget_customer(follow.service, "C1")
        follow.step()
        assert follow.asked() == []


@pytest.mark.parametrize("many", [False, True])
def test_after_the_set_time_every_contact_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch, many: bool) -> None:
    if many:
        monkeypatch.setattr(affected_customers, "CHUNK", 7)
    with customer_installation(home) as installation:
        follow = followed(installation)
        said = f"Ring me at {PHONE} or write to {MAIL}, please be faster"
        follow.answer(follow.tokens()[MAIL], suggestion=said)
        follow.answer(follow.tokens()["c2@example.com"], suggestion="two\nlines")
        survey_answers.record_complaint(follow.service, follow.ref, "C3", installation.now, command_id="again")
        survey_answers.record_callback(
            follow.service, follow.ref, "C3", installation.now, by="gaomin", note=f"reached by {MAIL}"
        )
        ciphers = sealed(installation)
        assert len(ciphers) == 59
        follow.run_until(24 * 29)
        assert len(sealed(installation)) == 59
        follow.run_until(24 * 2)
        assert sealed(installation) == []
        assert follow.row().state == "erased"
        assert holding(home, MAIL, PHONE, *ciphers) == {}
        left = follow.customers()
        assert left["C1"].masked == ""
        assert "please be faster" in left["C1"].suggestion, "the words stay, without the contact"
        assert left["C2"].suggestion == "two\nlines", "what holds none stays as it was said"
        assert left["C3"].called_note.startswith("reached by")


def test_nothing_of_a_contact_is_said_in_a_refusal(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Columns may be shifted: whatever stands in any field may be a contact."""
    with customer_installation(home) as installation:
        follow = FollowUp(installation)
        columns = [name for name in COLUMNS if name != "contact"]
        rows: list[dict[str, Any]] = [row(1, **{name: MAIL}) for name in columns]
        taken = follow.take([*rows, row(2, contact=f"{MAIL} {PHONE}")])
        assert (taken.taken, len(taken.bad)) == (0, 8)
        assert MAIL not in str(taken)
        assert PHONE not in str(taken)
        assert MAIL not in caplog.text


def test_what_a_channel_says_of_an_address_is_not_kept(home: Path) -> None:
    with customer_installation(home) as installation:
        installation.now = installation.now.set(hour=10)
        installation.receiver.script("/mail/", status=403, body=f"no mailbox {MAIL}")
        follow = FollowUp(installation)
        follow.take([row(1, contact=MAIL)])
        follow.close()
        follow.step()
        assert follow.customers()["C1"].reached == "dead"
        assert holding(home, MAIL) == {}


@pytest.mark.parametrize("how", ["cancelled", "never closed", "reopened and cancelled"])
def test_contacts_nobody_will_use_any_more_go_too(home: Path, how: str) -> None:
    with customer_installation(home) as installation:
        installation.now = installation.now.set(hour=10)
        follow = FollowUp(installation)
        follow.take([row(1, contact=MAIL)])
        (cipher,) = sealed(installation)
        if how == "reopened and cancelled":
            installation.receiver.script("/mail/", status=503)
            follow.close()
            follow.step()
            installation.do(follow.ref, Reopen, "alice", reason="again")
        if how != "never closed":
            installation.do(follow.ref, Cancel, "alice", reason="by mistake")
        follow.run_until(1)
        installation.wait(days=0 if how == "cancelled" else 31)
        follow.step()
        assert sealed(installation) == []
        assert holding(home, cipher, MAIL) == {}
        assert follow.row().state == "erased"
        assert installation.facts(follow.ref, "follow-up-given-up")


def test_after_the_result_nobody_is_taken_in_whose_contact_would_stay(home: Path) -> None:
    with customer_installation(home) as installation:
        follow = followed(installation)
        follow.run_until(73)
        with pytest.raises(CommandRefused, match="is over"):
            follow.take([row(99)])


def test_forgotten_on_postgresql(home: Path, postgres_url: str) -> None:
    with customer_installation(home, postgres_url) as installation:
        follow = followed(installation)
        assert survey_answers.forget_customer(follow.service, "C1") == 1
        with installation.installation.database.read() as connection:
            whole = str(connection.execute(text("SELECT * FROM customer")).all())
        assert len(sealed(installation)) == 58
        assert "'C1'" not in whole
        assert MAIL not in whole


def test_a_receipt_that_repeats_the_address_is_not_kept(home: Path) -> None:
    with customer_installation(home) as installation:
        installation.now = installation.now.set(hour=10)
        installation.receiver.script("/mail/", json={"id": f"queued for {MAIL}"})
        follow = FollowUp(installation)
        follow.take([row(1, contact=MAIL)])
        follow.close()
        follow.step()
        assert follow.customers()["C1"].reached == "sent"
        assert holding(home, MAIL) == {}
