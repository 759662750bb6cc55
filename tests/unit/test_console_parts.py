"""Small drawings and comparisons of the console: nothing foreign gets into them, gaps stay gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from web.http.page_reader import PageReader
from web.pages.charts import bar_chart, forecast_chart, incident_trend, shift_chart, sparkline
from web.pages.draft_page import text_changes
from web.pages.html_fragments import meter
from web.pages.live_page import main_html
from web.pages.live_updates import html_fingerprint
from web.pages.timeline_chart import timeline_svg

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
EVIL = '"><script>alert(1)</script>'


def at(minutes: float) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat()


def drawn(markup: Any) -> ET.Element:
    """Well-formed, and without script or style of its own."""
    text = str(markup)
    assert "<script" not in text
    assert "style=" not in text
    return ET.fromstring(text)  # noqa: S314 - our own drawing


def test_a_timeline_is_drawn_whatever_people_wrote() -> None:
    stages = [
        {
            "id": "apology",
            "title": {"en": EVIL, "zh": "第1小时"},
            "state": "running",
            "opens_at": at(-30),
            "due_at": at(30),
        },
        {
            "id": "long",
            "title": {"en": "A day", "zh": "一天"},
            "state": "running",
            "opens_at": at(-30),
            "due_at": at(1410),
        },
        {
            "id": "later",
            "title": {"en": "Later", "zh": "以后"},
            "state": "waiting",
            "opens_at": at(30),
            "due_at": at(150),
        },
    ]
    entries = [
        {"kind": "declared", "at": at(-30), "step": "", "says": {"en": EVIL, "zh": EVIL}},
        {"kind": "step-opened", "at": at(-30), "step": "apology/trace", "says": {"en": "called", "zh": "呼叫"}},
        {"kind": "step-acknowledged", "at": at(-25), "step": "apology/trace", "says": {"en": "has it", "zh": "确认"}},
        {"kind": "noted", "at": at(-5), "step": "", "says": {"en": "a note", "zh": "备注"}},
    ]
    found = drawn(timeline_svg(stages, entries, PageReader("en", "Asia/Shanghai", NOW)))
    marks = [one for one in found.iter() if one.get("class", "").startswith("mark") and one.get("transform")]
    titled = [one for one in marks if len(one)]
    assert len(titled) == 3  # a note has no mark of its own
    windows = [one for one in found.iter() if one.get("class") == "window"]
    assert len(windows) == 3
    widths = [float(one.get("width", "0")) for one in windows]
    assert widths[0] > 300, "a day-long stage does not squeeze the hour that counts"
    assert timeline_svg(stages, [], PageReader("en", "UTC", NOW)) == ""


def test_gaps_stay_gaps() -> None:
    path = drawn(sparkline([1.0, 2.0, None, 3.0, None, 4.0, 5.0], 2.5, "x")).find("path")
    assert path is not None
    assert path.get("d", "").count("M") == 3
    assert sparkline([None, None], None, "x") == ""
    assert sparkline([0.0, 0.0], 0.0, "x") != ""


@pytest.mark.parametrize("value", [0.0, 0.4, 3.0])
def test_a_meter_never_runs_over(value: float) -> None:
    rects = list(drawn(meter(value, "used")))
    assert float(rects[1].get("width", "0")) <= 100


def test_drawings_stand_alone() -> None:
    slots = [{"start": at(30 * n), "contacts": 10.0 + n, "low": 5.0, "high": 20.0} for n in range(96)]
    assert drawn(forecast_chart(slots, "Asia/Shanghai", "ahead")).findall(".//path")
    assert len(drawn(bar_chart([("26-01", 3.0), ("26-02", None), ("26-03", 5.0)], "n")).findall(".//rect")) == 2
    assert bar_chart([("26-01", None)], "n") == ""
    said: list[dict[str, Any]] = [{"posted_at": at(-10)}, {"posted_at": None}]
    lines = drawn(incident_trend(at(-60), 600, [1.0] * 7, said, {"declared_at": at(-30)}, "UTC", "mood"))
    assert len([one for one in lines.iter() if one.get("class", "").startswith("said")]) == 2


def test_shifts_show_whom_and_where_nobody_is() -> None:
    spans = [
        {"from": at(0), "to": at(600), "person": "a", "name": EVIL, "gap": False},
        {"from": at(600), "to": at(1200), "person": "b", "name": "B", "gap": True},
    ]
    days = {"from": at(0), "until": at(1200), "roles": [
        {"role": "pr", "title": "PR", "calendar": True, "spans": spans},
        {"role": "x", "title": "X", "calendar": False, "spans": spans[:1]},
    ]}  # fmt: skip
    found = drawn(shift_chart(days, "UTC", "who"))
    assert [one.get("class") for one in found.iter() if one.get("class", "").startswith("shift")] == [
        "shift s0", "shift s1 gap",
    ]  # fmt: skip


def test_two_versions_are_compared_by_word_and_by_character() -> None:
    found = text_changes(
        {"en": "We are sorry.", "zh_CN": "我们抱歉"}, {"en": "We are very sorry.", "zh_CN": "我们深表歉意"}
    )
    assert found["en"] == [("same", "We are "), ("new", "very "), ("same", "sorry.")]
    assert "".join(words for kind, words in found["zh_CN"] if kind != "gone") == "我们深表歉意"
    assert "".join(words for kind, words in found["zh_CN"] if kind != "new") == "我们抱歉"


def test_what_is_streamed_is_the_main_part() -> None:
    html = '<body><main id="main" data-x="1"><p>one</p></main><footer></footer></body>'
    assert main_html(html) == "<p>one</p>"
    assert html_fingerprint("a") != html_fingerprint("b")
