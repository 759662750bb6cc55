"""Two languages: nothing a person reads lacks a translation, and times read calmly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from locales import format_span, format_when, normalise, translator
from locales.catalogue import catalogue_file

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "playbooks", "storage", "channels", "engine", "tasks", "flows", "runner", "web", "cli", "locales")
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sdrf]|\{\w*\}")


def texts_in(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    methods = [("**.py", "python"), ("**.html", "jinja2"), ("**.txt", "jinja2")]
    for name, line, message, _comments, _context in extract_from_dir(folder, method_map=methods):
        ids = (message,) if isinstance(message, str) else tuple(part for part in message if part)
        yield f"{folder.name}/{name}:{line}", ids
    yield from within_strings(folder)


def within_strings(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Texts inside of formatted strings: to the extractor such a string is one piece before Python 3.12."""
    for file in sorted(folder.rglob("*.py")):
        for string in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for node in ast.walk(string) if isinstance(string, ast.JoinedStr) else ():
                match node:
                    case ast.Call(func=ast.Name(id="_"), args=[ast.Constant(value=str(text))]):
                        yield f"{folder.name}/{file.relative_to(folder)}:{node.lineno}", (text,)


def untranslated(texts: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    known = chinese()
    return [f"{where}: {ids[0]!r}" for where, ids in texts if not known.get(ids[0])]


def chinese() -> dict[str, str]:
    with catalogue_file("zh_CN").open("rb") as file:
        catalogue = read_po(file, locale="zh_CN", abort_invalid=True)
    return {ids(message)[0]: strings(message) for message in catalogue if message.id}


def ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def strings(message: Message) -> str:
    return message.string if isinstance(message.string, str) else "".join(message.string or ())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_text_of_the_program_is_translated(package: str) -> None:
    missing = untranslated(texts_in(ROOT / package))
    assert missing == [], "\n" + "\n".join(missing)


def test_a_text_without_translation_is_found(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text('_("never written")\n_.ngettext("%d bell", "%d bells", 2)\n')
    (tmp_path / "told.py").write_text("print(f\"{_('never told')}\")\n")
    (tmp_path / "page.html").write_text("<p>{{ _('never shown') }}</p>")
    found = untranslated(texts_in(tmp_path))
    assert [text.split(": ")[1] for text in sorted(found)] == [
        "'never written'",
        "'%d bell'",
        "'never shown'",
        "'never told'",
    ]


def test_translations_keep_their_placeholders() -> None:
    wrong = []
    with catalogue_file("zh_CN").open("rb") as file:
        for message in read_po(file, locale="zh_CN"):
            if message.id:
                many = ids(message)[-1]
                if sorted(PLACEHOLDER.findall(many)) != sorted(PLACEHOLDER.findall(strings(message))):
                    wrong.append(many)
    assert wrong == []


@pytest.mark.parametrize(
    ("written", "language"),
    [
        ("zh", "zh_CN"),
        ("zh-CN", "zh_CN"),
        ("zh_CN.UTF-8", "zh_CN"),
        ("zh-Hans", "zh_CN"),
        ("ZH", "zh_CN"),
        ("en", "en"),
        ("en-GB", "en"),
        ("fr", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_languages_however_written(written: str | None, language: str) -> None:
    assert normalise(written) == language
    assert translator(written).language == language


def test_english_is_the_id_and_counts() -> None:
    _ = translator("en")
    assert _("no such text") == "no such text"
    assert _("") == translator("zh").gettext("") == ""
    assert _.ngettext("one", "many", 1) == "one"
    assert _.ngettext("one", "many", 0) == "many"


def test_a_text_unknown_in_chinese_stays_english() -> None:
    assert translator("zh")("no such text") == "no such text"


@pytest.mark.parametrize(
    ("seconds", "english", "chinese_text"),
    [
        (0, "0 s", "0 秒"),
        (40, "40 s", "40 秒"),
        (-40, "40 s", "40 秒"),
        (60, "1 min", "1 分钟"),
        (89, "1 min", "1 分钟"),
        (1500, "25 min", "25 分钟"),
        (3599, "1 h", "1 小时"),
        (3900, "1 h 5 min", "1 小时 5 分钟"),
        (86399, "1 d", "1 天"),
        (2 * 86400 + 3 * 3600 + 59, "2 d 3 h", "2 天 3 小时"),
    ],
)
def test_spans(seconds: int, english: str, chinese_text: str) -> None:
    assert format_span(timedelta(seconds=seconds), "en") == english
    assert format_span(timedelta(seconds=seconds), "zh") == chinese_text


NOW = datetime(2026, 11, 21, 19, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "english", "chinese_text"),
    [
        (NOW + timedelta(minutes=25), "03:40 (in 25 min)", "03:40（25 分钟后）"),
        (NOW - timedelta(minutes=5), "03:10 (5 min ago)", "03:10（5 分钟前）"),
        (NOW, "03:15 (now)", "03:15（现在）"),
        (
            NOW + timedelta(hours=51),
            "Tue 24 Nov 06:15 (in 2 d 3 h)",
            "11月24日 周二 06:15（2 天 3 小时后）",
        ),
        (
            NOW + timedelta(days=60),
            "Thu 21 Jan 2027 03:15 (in 60 d)",
            "2027年1月21日 周四 03:15（60 天后）",
        ),
    ],
)
def test_moments_in_the_readers_zone(when: datetime, english: str, chinese_text: str) -> None:
    assert format_when(when, "Asia/Shanghai", "en", NOW) == english
    assert format_when(when, "Asia/Shanghai", "zh-CN", NOW) == chinese_text


def test_the_date_is_that_of_the_readers_zone() -> None:
    # 19:15 UTC is already the 22nd in Shanghai: 20 minutes later it is the same day there, and in London.
    assert format_when(NOW + timedelta(hours=6), "Europe/London", "en", NOW) == "Sun 22 Nov 01:15 (in 6 h)"
    assert format_when(NOW + timedelta(hours=6), "Asia/Shanghai", "en", NOW) == "09:15 (in 6 h)"


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        format_when(NOW.replace(tzinfo=None), "UTC", "en", NOW)
