"""Figures in a file: good rows are read, bad ones named by their line, a wrong file said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.samples.csv_file import BadSampleRow, BadSamplesFile, SampleRow, SamplesFile, format_utc, parse_zone

AT = 1_772_420_400_000_000  # 2026-03-02T03:00:00Z


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "f.csv"
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, text: str, **how: Any) -> list[SampleRow | BadSampleRow]:
    return list(SamplesFile(write(tmp_path, text), **how).rows())


def test_every_other_column_is_a_label_and_an_empty_cell_is_none(tmp_path: Path) -> None:
    text = "time,metric,value,count,channel,Team\n2026-03-02T11:00:00+08:00,csat,4.5,3,chat,A\n1772420400,csat,5,,,\n"
    assert read(tmp_path, text) == [
        SampleRow(2, AT, "csat", 4.5, 3, {"channel": "chat", "Team": "A"}),
        SampleRow(3, AT, "csat", 5),
    ]


@pytest.mark.parametrize("time", ["2026-03-02T03:00:00Z", "2026-03-02 11:00:00+08:00", "1772420400", "1772420400000"])
def test_times_as_people_and_programs_write_them(tmp_path: Path, time: str) -> None:
    (row,) = read(tmp_path, f"time,metric,value\n{time},m,1\n")
    assert isinstance(row, SampleRow)
    assert row.at == AT
    assert format_utc(row.at) == "2026-03-02T03:00:00+00:00"


def test_a_file_of_one_metric_and_times_without_an_offset(tmp_path: Path) -> None:
    text = "timestamp,value\n2026-03-02 11:00:00,10844\n"
    found = read(tmp_path, text, metric="contacts", zone=parse_zone("Asia/Shanghai"))
    assert found == [SampleRow(2, AT, "contacts", 10844)]


def test_bad_rows_are_named_by_their_line_and_the_others_kept(tmp_path: Path) -> None:
    text = (
        "# made by hand\ntime,metric,value,count\n"
        "yesterday,m,1,\n1772420400,m,one,\n1772420400,m,nan,\n1772420400,m,1\n1772420400,,1,\n\n"
        "1772420400,m,1,many\n1e300,m,1,\n# nearly\n1772420400,m,7,2\n"
    )
    found = read(tmp_path, text)
    bad = {one.line: one.reason.split(" ")[0] for one in found if isinstance(one, BadSampleRow)}
    assert bad == {3: "time:", 4: "value:", 5: "value:", 6: "has", 7: "metric:", 9: "count:", 10: "time:"}
    assert [one for one in found if isinstance(one, SampleRow)] == [SampleRow(12, AT, "m", 7, 2)]


def test_a_sample_is_what_the_api_takes() -> None:
    assert SampleRow(2, AT + 250_000, "csat", 4, 1, {}).document() == {
        "metric": "csat",
        "time": "2026-03-02T03:00:00.250000+00:00",
        "value": 4,
    }
    assert SampleRow(2, AT, "csat", 4, 3, {"channel": "chat"}).document() == {
        "metric": "csat",
        "time": "2026-03-02T03:00:00+00:00",
        "value": 4,
        "count": 3,
        "labels": {"channel": "chat"},
    }


def test_a_file_may_say_where_its_replay_begins(tmp_path: Path) -> None:
    path = write(tmp_path, "# from: 2026-03-02T11:00:00+08:00\ntime,metric,value\n1,m,1\n")
    assert SamplesFile(path).begins == AT
    assert SamplesFile(write(tmp_path, "# just words\ntime,metric,value\n1,m,1\n")).begins is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the first line names the columns"),
        ("when,metric,value\n", "the first line names the columns"),
        ("time,metric\n", "the first line names the columns"),
        ("timestamp,value\n1,2\n", "--metric"),
        ("time,metric,value,a,a\n", "two columns have one name"),
        ("# from: noon\ntime,metric,value\n1,m,1\n", "# from: time: 'noon' is no time"),
    ],
)
def test_a_file_that_is_none_of_figures_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadSamplesFile, match=says):
        SamplesFile(write(tmp_path, text))


def test_a_broken_quote_and_what_is_no_text_are_said(tmp_path: Path) -> None:
    with pytest.raises(BadSamplesFile, match="check its quotes"):
        read(tmp_path, 'time,metric,value\n1,"m"x,1\n')
    path = tmp_path / "b.csv"
    path.write_bytes("time,metric,value,a\n1,m,1,投诉\n".encode("gbk"))
    with pytest.raises(BadSamplesFile, match="UTF-8"):
        list(SamplesFile(path).rows())
    with pytest.raises(BadSamplesFile, match="cannot be read"):
        SamplesFile(tmp_path / "none.csv")
    with pytest.raises(BadSamplesFile, match="time zone"):
        parse_zone("Mars/Olympus")
