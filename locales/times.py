"""Times and spans as people read them at 3 a.m.: a clock time, and its distance from now."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from locales.catalogue import normalise

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_UNITS: Final = {
    "en": (("d", _DAY), ("h", _HOUR), ("min", _MINUTE), ("s", 1)),
    "zh_CN": (("天", _DAY), ("小时", _HOUR), ("分钟", _MINUTE), ("秒", 1)),
}
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS: Final = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "zh_CN": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}


def format_span(span: timedelta, language: str) -> str:
    """A length of time in at most two units, without its sign: `40 s`, `25 min`, `1 h 5 min`, `2 d 3 h`."""
    units = _UNITS[normalise(language)]
    seconds = round(abs(span.total_seconds()))
    # Rounded to the smaller of the two units shown, so that 59 min 50 s reads 1 h and not 59 min.
    for step in (_MINUTE, _HOUR):
        shown_from = _MINUTE if step == _MINUTE else _DAY
        if seconds >= shown_from:
            seconds = (seconds + step // 2) // step * step
    parts: list[str] = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts) or f"0 {units[-1][0]}"


def elapsed_share(opens: str | None, due: str | None, now: datetime) -> float:
    """Elapsed share of a window, 0.0 to 1.0."""
    if not opens or not due:
        return 0.0
    begins, ends = datetime.fromisoformat(opens), datetime.fromisoformat(due)
    length = (ends - begins).total_seconds()
    passed = (now - begins).total_seconds()
    return min(1.0, max(0.0, passed / length)) if length > 0 else float(passed > 0)


def format_when(when: datetime, tz: str | tzinfo, language: str, now: datetime) -> str:
    """A moment in the reader's zone and how far it is from `now`: `03:40 (in 25 min)`, `03:40（25 分钟后）`.

    Another day than today carries its date, another year its year.

    Raises:
        ValueError: `when` or `now` has no time zone.

    """
    if when.tzinfo is None or now.tzinfo is None:
        raise ValueError("a time without a zone names no moment: pass aware datetimes")
    language = normalise(language)
    zone = ZoneInfo(tz) if isinstance(tz, str) else tz
    local, today = when.astimezone(zone), now.astimezone(zone)
    clock = f"{local:%H:%M}"
    if local.date() != today.date():
        clock = f"{_date(local, language, with_year=local.year != today.year)} {clock}"
    return clock + _distance(when - now, language)


def _date(local: datetime, language: str, *, with_year: bool) -> str:
    weekday = _WEEKDAYS[language][local.weekday()]
    if language == "zh_CN":
        return f"{local.year}年" * with_year + f"{local.month}月{local.day}日 {weekday}"
    return f"{weekday} {local.day} {_MONTHS[local.month - 1]}" + f" {local.year}" * with_year


def _distance(span: timedelta, language: str) -> str:
    text = format_span(span, language)
    if abs(span) < timedelta(seconds=0.5):
        return "（现在）" if language == "zh_CN" else " (now)"
    if language == "zh_CN":
        return f"（{text}后）" if span > timedelta(0) else f"（{text}前）"
    return f" (in {text})" if span > timedelta(0) else f" ({text} ago)"
