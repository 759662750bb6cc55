"""Text comparison: words normalised, in English and Chinese, and contacts redacted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

MAX_SHOWN_LENGTH = 300
_RUN = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]+")
# Say nothing of what happened.
_STOP_EN = """
a an and are as at be been but by can do does for from had has have he her his i if in into is it its my no not of on
or our she so that the their them then there they this to too up us was we were what when which will with you your
again still please very now today all any some
"""
_STOP_ZH = "的了是在我你他她它们这那有和与及也都很就又请再还被把让对为会能可吗呢吧啊"
# Say that something is wrong, which every incident does: they weigh less than what is wrong.
_GENERIC_WORDS = """
down outage fail failed failing failure error broken break wrong issue problem trouble bad unavailable slow stop
stopped lost loss out incident system service customer user
故障 失败 异常 错误 问题 无法 不能 不可 可用 中断 宕机 系统 服务 客户 用户 出现 发生
"""
_STOP = frozenset(_STOP_EN.split())
_GENERIC = frozenset(_GENERIC_WORDS.split())
_STOPS = re.compile(f"[{_STOP_ZH}]")
_LIGHT = 0.3
# An address, a number of seven digits or more however it is spaced, a handle.
_CONTACT = re.compile(
    r"[\w.+'-]+[@＠][\w-]+(?:[.．。][\w-]+)*|https?://\S+|[+＋]?\d(?:[\s().\-‐–—·]{0,3}\d){6,}|(?<![\w@])[@＠]\w{2,}"
)
REDACTED = "[…]"


def normalize_text(text: str) -> str:
    """Normalise a text for comparison: one width, small letters, single spaces, no punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def redact_contacts(text: str) -> str:
    """Redact a customer's words for other readers: one line, cut, without addresses and long numbers.

    Some customers leave their number where a suggestion was asked for. It belongs to nobody's agenda.
    """
    shown = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFKC", text))
    line = " ".join(_CONTACT.sub(REDACTED, shown).split())
    return line if len(line) <= MAX_SHOWN_LENGTH else line[: MAX_SHOWN_LENGTH - 1] + "…"


@lru_cache(maxsize=8192)
def weigh_words(title: str) -> Mapping[str, float]:
    """Return the weighted words of a title: English ones without their endings, Chinese ones as pairs."""
    found: dict[str, float] = {}
    for run in _RUN.findall(unicodedata.normalize("NFKC", title).casefold()):
        if run[0] > "z":
            for pair in _pairs(run):
                found[pair] = _LIGHT if pair in _GENERIC else 1.0
        elif run not in _STOP:
            found[_stem(run)] = _LIGHT if run in _GENERIC or _stem(run) in _GENERIC else 1.0
    return found


def _pairs(run: str) -> list[str]:
    """Two characters at a time; a stop word ends a pair."""
    parts = [part for part in _STOPS.split(run) if part]
    return [part[i : i + 2] for part in parts for i in range(max(1, len(part) - 1))]


def _stem(word: str) -> str:
    """`payments` and `payment` are one word; no more grammar than that."""
    if len(word) > 4 and word.endswith("ies"):  # noqa: PLR2004 - `dies` stays
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):  # noqa: PLR2004 - `gas` stays
        return word[:-1]
    return word


def word_overlap(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Compute how much two titles say the same, 0.0 to 1.0: Dice's coefficient over weighted words."""
    total = sum(one.values()) + sum(other.values())
    common = sum(weight for word, weight in one.items() if word in other)
    return 2 * common / total if total else 0.0


def common_words(one: str, other: str, most: int) -> list[str]:
    """List the words that two titles share, the weightiest first; Chinese pairs that follow each other as one."""
    mine, theirs = weigh_words(one), weigh_words(other)
    found: list[tuple[str, float]] = []
    for word, weight in mine.items():
        if word not in theirs:
            continue
        if found and word[0] > "z" and found[-1][0][-1] == word[0]:
            found[-1] = (found[-1][0] + word[1:], max(weight, found[-1][1]))
        else:
            found.append((word, weight))
    return [word for word, _ in sorted(found, key=lambda pair: -pair[1])][:most]
