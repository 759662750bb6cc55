"""`tocsin customers` against a real server: files as they come, exports that no spreadsheet carries out."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.served import Served, check, served

ROOT = Path(__file__).parents[2]
RUN = """
from cli.common import CommandError, fail
from cli.customers import app
try:
    app()
except CommandError as trouble:
    fail(str(trouble))
"""


@pytest.fixture(name="web")
def web_fixture(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def type_(web: Served, *words: str, **environment: str) -> tuple[int, str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_"))}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        cwd=ROOT,
        env={**clean, "TOCSIN_PORT": str(web.port), "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_sample_file(web: Served) -> None:
    ref = web.declare()
    code, out, err = type_(web, "import", ref, "examples/affected_customers.csv")
    assert code == 1, "there are bad rows"
    assert out == "1960 customers taken in, 0 known already, 40 bad rows\n"
    assert err.splitlines()[-1] == "and 20 more bad lines"
    code, out, err = type_(web, "import", ref, "examples/affected_customers.csv", "--json")
    document = check("customers-taken", json.loads(out))
    assert (document["taken"], document["known"], len(document["bad"])) == (0, 1960, 40)
    rows = Path(ROOT / "examples/affected_customers.csv").read_text(encoding="utf-8").splitlines()
    for bad in document["bad"]:
        column = bad["reason"].partition(":")[0]
        assert rows[bad["line"] - 1].split(",")[0].startswith("C") or column == "id"
    assert not any("@example.com" in line for line in (out + err).splitlines())


def test_every_kind_of_broken_line_is_named_and_the_rest_kept(web: Served, tmp_path: Path) -> None:
    file = tmp_path / "broken.csv"
    lines = [
        b"\xef\xbb\xbfid,contact,language",
        b"C1,c1@example.com,en",
        b'C2,"c2@example.com,en',  # a quote that is never closed takes nothing else with it
        b"C3,c3@example.com,en",
        b"C4,\xff\xfe@example.com,en",
        b"C5,c5@example.com",
        b"C6,c6@example.com,en,more",
        b"",
        b"C7,c7\x00@example.com,en",
        b"C8," + b"x" * 6_000 + b",en",
        b'"C9","c9@example.com","zh_CN"',
        b'C"10,c10@example.com,en',
        b"C1,c1@example.com,en",
        b"C11,c11@example.com,zh_CN",
    ]
    file.write_bytes(b"\r\n".join(lines))
    code, out, _err = type_(web, "import", web.declare(), str(file), "--json")
    document = check("customers-taken", json.loads(out))
    assert code == 1
    assert (document["taken"], document["known"]) == (5, 1)
    assert [(bad["line"], bad["reason"].split(":")[0][:24]) for bad in document["bad"]] == [
        (3, "a quote is not closed, o"), (5, "is not UTF-8"), (6, "has 2 fields where the h"),
        (7, "has 4 fields where the h"), (9, "contact"), (10, "is longer than 5000 char"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no header"),
        (b"\n", "no header"),
        (b"name,contact\n", "'name'"),
        (b"id\n1\n", "no column contact"),
        (b"id,contact,id\n", "a column twice"),
        (b"\x00\x01\x02", "no column id"),
    ],
)
def test_a_file_that_is_none_says_what_would_be_right(web: Served, tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "none.csv"
    file.write_bytes(content)
    code, out, err = type_(web, "import", web.declare(), str(file))
    assert (code, out) == (1, "")
    assert says in err or "column" in err
    assert "order_value" in err
    assert len(err.strip().splitlines()) == 1


def test_no_file_no_incident_no_server(web: Served, tmp_path: Path) -> None:
    code, _, err = type_(web, "import", "INC-1", str(tmp_path / "no.csv"))
    assert code == 1
    assert "cannot read" in err
    code, _, err = type_(web, "import", "INC-9", "examples/affected_customers.csv")
    assert code == 1
    assert "tocsin incidents" in err
    code, _, err = type_(web, "show", "INC-1", TOCSIN_PORT="1")
    assert code == 1
    assert "tocsin up" in err


def test_an_export_holds_no_formula_and_no_contact(web: Served, tmp_path: Path) -> None:
    ref = web.declare()
    file = tmp_path / "f.csv"
    file.write_text("id,contact\n\"=cmd|'/C calc'!A0\",li.wei@example.com\n+49,\n-1,\n@x,\n")
    type_(web, "import", ref, str(file))
    code, out, _ = type_(web, "list", ref, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert sorted(row["customer"] for row in rows) == ["'+49", "'-1", "'=cmd|'/C calc'!A0"]
    assert "li.wei" not in out
    assert {row["contact"] for row in rows} == {"", "l…@e….com"}


def test_called_again_forgotten_and_the_figures(web: Served, tmp_path: Path) -> None:
    ref = web.declare()
    file = tmp_path / "f.csv"
    file.write_text("id,contact\nC1,\nC2,c2@example.com\n")
    assert type_(web, "import", ref, str(file))[0] == 0
    code, out, _ = type_(web, "callbacks", ref)
    assert (code, len(out.splitlines())) == (0, 1)
    assert "no-channel" in out
    code, out, err = type_(web, "called", ref, "C1", "--note", "left a message", "--as", "gaomin")
    assert (code, out, err) == (0, "C1: called\n", "")
    assert type_(web, "callbacks", ref)[1] == "nobody is to be called\n"
    assert type_(web, "again", ref, "C2")[1] == "C2: open again\n"
    code, out, _ = type_(web, "show", ref, "--json")
    document = check("customers", json.loads(out))
    assert (document["result"]["second_complaints"], document["result"]["second_share"]) == (1, 0.5)
    assert "重复投诉: 50.0 %" in type_(web, "show", ref, LANG="zh_CN.UTF-8")[1]
    assert type_(web, "forget", "C2")[1] == "forgotten in 1 incidents\n"
    assert type_(web, "forget", "C3")[1] == "nobody of that number is known\n"
    code, _, err = type_(web, "called", ref, "C2")
    assert code == 1


@pytest.mark.slow
def test_a_hundred_thousand_rows_in_under_a_minute(web: Served, tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        stream.write("id,contact,order_value,time_zone\n")
        for n in range(100_000):
            stream.write(f"K{n},k{n}@example.com,{n % 900},Asia/Shanghai\n" if n % 100 else f"K{n},broken,1,x\n")
    began = time.monotonic()
    code, out, _ = type_(web, "import", web.declare(), str(file), "--json")
    took = time.monotonic() - began
    document = json.loads(out)
    assert code == 1
    assert (document["taken"], len(document["bad"])) == (99_000, 1_000)
    assert took < 60
    print(f"100,000 rows in {took:.1f} s")
