"""Rendering of a message for a service: marks, and shortening by bytes.

Services count bytes where Apprise counts characters (a Chinese character is three), so everything is cut
here, before Apprise sees it, at a line, with the link kept.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from channels.message import Message

DRILL_MARK = "[DRILL 演练] "
DUPLICATE_MARKS = {"en": "[possible duplicate] ", "zh_CN": "[可能重复] "}
ELLIPSIS = "…"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


TextMeasure = Callable[[str], int]


@dataclass(frozen=True)
class MessageLimits:
    """Limits of a service on one message.

    Attributes:
        body_bytes: UTF-8 bytes of the text.
        title_bytes: UTF-8 bytes of the title; 0 for a service without titles, whose title becomes the first
            line.
        shared: The title counts against `body_bytes` too.
        lines: Lines of the text, 0 for any number.
        characters: Characters of the text as well, those beyond the first 65,536 (emoji) as two; 0 for any
            number.
    """

    body_bytes: int
    title_bytes: int = 250
    shared: bool = False
    lines: int = 0
    characters: int = 0


@dataclass(frozen=True)
class RenderedText:
    """Message as it is handed to the service."""

    title: str
    body: str


def utf8_size(text: str) -> int:
    """Bytes of `text` in UTF-8; a lone surrogate counts like any character it would be replaced by."""
    return len(text.encode("utf-8", "surrogatepass"))


def utf16_size(text: str) -> int:
    """Characters of `text` as most services count them: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def message_marks(message: Message) -> str:
    """Marks that the delivery layer puts in front of `message`."""
    drill = DRILL_MARK if message.drill else ""
    if message.public or not message.possible_duplicate:
        return drill
    return drill + DUPLICATE_MARKS.get(message.language, DUPLICATE_MARKS["en"])


def render(message: Message, limits: MessageLimits) -> RenderedText:
    """Render `message` within `limits`: a publication with at most the drill mark, a notice cut to fit."""
    if message.public:
        return RenderedText("", message_marks(message) + message.body)
    title, body = message_marks(message) + _single_line(message.title), _clean(message.body)
    link = message.link or ""
    if link and link not in body:
        body = f"{body}\n{link}" if body else link
    if not message.title.strip() or not limits.title_bytes:
        title, body = "", f"{title}\n{body}" if message.title.strip() else title + body
    title = _cut_within(title, limits.title_bytes)
    room = limits.body_bytes - (utf8_size(title) if limits.shared else 0)
    body = shorten(body, room, limits.lines, link)
    if limits.characters:
        taken = utf16_size(title) if limits.shared else 0
        body = shorten(body, limits.characters - taken, limits.lines, link, utf16_size)
    return RenderedText(title, body)


def fits_limits(text: str, limits: MessageLimits, *, drill: bool = False) -> bool:
    """Whether a publication of `text` fits whole; a drill's mark takes room too."""
    whole = DRILL_MARK + text if drill else text
    if limits.characters and utf16_size(whole) > limits.characters:
        return False
    return utf8_size(whole) <= limits.body_bytes and (not limits.lines or whole.count("\n") < limits.lines)


def shorten(body: str, room: int, lines: int = 0, link: str = "", measure: TextMeasure = utf8_size) -> str:
    """`body` in at most `room` UTF-8 bytes and `lines` lines (0: any), cut at a line, with `link` kept.

    `measure`: `characters` counts those instead.

    Only when not even the first line fits is it cut inside that line, never inside a character.
    """
    if measure(body) <= room and (not lines or body.count("\n") < lines):
        return body
    first, *_ = body.split("\n", 1)
    tail = ELLIPSIS if not link else f"{ELLIPSIS} {link}" if lines == 1 else f"{ELLIPSIS}\n{link}"
    if measure(tail) > room:
        return link if link and measure(link) <= room else _cut_within(first, room, measure)
    kept = _lines_within(body, room - measure(tail), lines - tail.count("\n") - 1 if lines else None, measure)
    if not kept:
        return _prefix(first.replace(link, "") if link else first, room - measure(tail), measure) + tail
    head = "\n".join(kept)
    return f"{head}\n{ELLIPSIS if link and link in head else tail}"


def _lines_within(body: str, room: int, most: int | None, measure: TextMeasure) -> list[str]:
    """The lines of `body`, each with its line break, that fit into `room`; at most so many."""
    kept: list[str] = []
    for line in body.split("\n")[:most]:
        room -= measure(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _cut_within(text: str, room: int, measure: TextMeasure = utf8_size) -> str:
    if measure(text) <= room:
        return text
    return _prefix(text, room - measure(ELLIPSIS), measure) + ELLIPSIS if room >= measure(ELLIPSIS) else ""


def _prefix(text: str, room: int, measure: TextMeasure) -> str:
    """The longest beginning of `text` within `room` that ends at a character."""
    if measure is utf16_size:
        units = text.encode("utf-16-le", "replace")[: 2 * max(room, 0)]
        return units.decode("utf-16-le", "ignore")
    return text.encode("utf-8", "replace")[: max(room, 0)].decode("utf-8", "ignore")


def _single_line(text: str) -> str:
    """A title without line breaks and control characters: in a mail they would begin another header."""
    clean = _clean(text)
    printable = clean if clean.isprintable() else "".join(c if c.isprintable() else " " for c in clean)
    return " ".join(printable.split())


def _clean(text: str) -> str:
    """`text` that can be encoded, without control characters other than line breaks and tabs."""
    encodable = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")
    return _CONTROLS.sub("", encodable)
