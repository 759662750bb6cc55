"""Broken playbooks: each case one sentence, and what its reader is told."""

from __future__ import annotations

from typing import NamedTuple

# The steps begin in line 8.
HEAD = "id: p\ntitle: P\nstages:\n  - id: s\n    title: S\n    ends: 1h\n    steps:\n"
STEP = "      - {id: a, kind: act, title: A, owner: pr-lead}\n"
DRAFT = "      - {id: d, kind: draft, title: D, owner: pr-lead}\n"


class Case(NamedTuple):
    says: str
    text: str
    line: int | None
    field: str
    reason: str  # a part of it
    remedy: str  # a part of it


CASES = [
    Case(
        "a quote is not closed in line 7",
        HEAD[:-11] + '    steps: "\n',
        7,
        "file",
        "a quote that is never closed",
        "close it",
    ),
    Case(
        "YAML is broken at line 7",
        HEAD.replace("    steps:", "   steps:"),
        7,
        "file",
        "broken YAML",
        "indentation",
    ),
    Case("a tab indents", HEAD + "\t- id: a\n", 8, "file", "a tab in the indentation", "spaces"),
    Case("the file is empty", "", None, "file", "is empty", "id: and title:"),
    Case("only a comment", "# soon\n", None, "file", "is empty", "id: and title:"),
    Case("a list instead of a mapping", "- id: p\n", 1, "file", "is a list, not a mapping", "key: value"),
    Case("a text instead of a mapping", "four hours\n", 1, "file", "is a text, not a mapping", "key: value"),
    Case("10 MB", "a" * 10_000_000, None, "file", "larger than 1 MiB", "link to long texts"),
    Case(
        "a control character", "id: p\ntitle: A\x07B\n", 2, "file", "control character '\\x07'", "remove it"
    ),
    Case(
        "an escaped one",
        HEAD.replace("title: P", 'title: "A\\aB"') + STEP,
        2,
        "title.en",
        "control",
        "remove",
    ),
    Case("two documents", "id: p\n---\nid: q\n", 2, "file", "a second document", "one document per file"),
    Case(
        "a tag that would make an object",
        "id: !!python/object:os.system x\n",
        1,
        "file",
        "has a tag",
        "plain",
    ),
    Case("a key twice", "id: p\ntitle: P\nid: q\n", 3, "id", "is there twice", "keep one"),
    Case("an alias to nothing", "id: *other\n", 1, "file", "anchor", ""),
    Case("nested without end", "id: " + "[" * 900, 1, "file", "deeper than 20", "no field goes that deep"),
    Case(
        "an unknown key",
        HEAD.replace("title: S", "tittle: S") + STEP,
        5,
        "stages[0].tittle",
        "unknown",
        "title?",
    ),
    Case("a foreign key", "colour: red\n" + HEAD + STEP, 1, "colour", "unknown key", "one of"),
    Case(
        "a missing key",
        HEAD.replace("title: P\n", "") + STEP,
        1,
        "title",
        "is missing",
        "add title: Four-hour",
    ),
    Case(
        "no owner",
        HEAD + STEP.replace(", owner: pr-lead", ""),
        8,
        "stages[0].steps[0].owner",
        "missing",
        "pr-lead",
    ),
    Case("no stage", "id: p\ntitle: P\nstages: []\n", 3, "stages", "is empty", "for example stages:"),
    Case(
        "no step", HEAD.replace("steps:\n", "steps: []\n"), 7, "stages[0].steps", "has no step", "give it one"
    ),
    Case("a bad id", HEAD.replace("id: p", "id: P 1"), 1, "id", "'P 1' cannot be used", "lower-case letters"),
    Case(
        "an unknown kind of step",
        HEAD + STEP.replace("kind: act", "kind: aprove"),
        8,
        "stages[0].steps[0].kind",
        "'aprove' is not known",
        "did you mean approve?",
    ),
    Case(
        "an unknown clock",
        HEAD.replace("ends: 1h", "from: close\n    ends: 1h"),
        6,
        "stages[0].from",
        "'close'",
        "closed",
    ),
    Case(
        "a number as title",
        HEAD.replace("title: P", "title: 42"),
        2,
        "title",
        "is a number, not a text",
        '"42"',
    ),
    Case(
        "a title in French only",
        HEAD.replace("title: P", "title: {fr: P}"),
        2,
        "title.fr",
        "unknown key",
        "en, zh",
    ),
    Case(
        "a comma ends a text",
        HEAD.replace("title: P", "title: {en: Do, now}"),
        2,
        "title.now",
        "unknown",
        "quotes",
    ),
    Case(
        "an empty title", HEAD.replace("title: P", 'title: ""'), 2, "title.en", "is empty", "for example en:"
    ),
    Case(
        "needs is no list",
        HEAD + STEP.replace("}", ", needs: b}"),
        8,
        "stages[0].steps[0].needs",
        "a text",
        "[b]",
    ),
    Case(
        "yes is no truth",
        HEAD + STEP.replace("}", ", evidence: yes}"),
        8,
        "stages[0].steps[0].evidence",
        "text",
        "true",
    ),
    Case("version zero", "version: 0\n" + HEAD + STEP, 1, "version", "too small", "1 or more"),
    Case(
        "a bad duration",
        HEAD.replace("ends: 1h", "ends: soon"),
        6,
        "stages[0].ends",
        "'soon' is not a d",
        "write 20m",
    ),
    Case(
        "a duration without unit",
        HEAD.replace("1h", "60"),
        6,
        "stages[0].ends",
        "60 has no unit",
        "write 60m",
    ),
    Case(
        "a negative duration",
        HEAD.replace("1h", "-5m"),
        6,
        "stages[0].ends",
        "'-5m' is not a duration",
        "20m",
    ),
    Case("a stage of a century", HEAD.replace("1h", "36500d"), 6, "stages[0].ends", "longer than a year", ""),
    Case(
        "a stage that ends at once",
        HEAD.replace("1h", "0m") + STEP,
        6,
        "stages[0].ends",
        "before it starts",
        "later",
    ),
    Case(
        "a deadline after its stage",
        HEAD + STEP.replace("}", ", due: 2h}"),
        8,
        "stages[0].steps[0].due",
        "due 2h, after its stage ends at 1h",
        "due: 1h or earlier",
    ),
    Case(
        "a step open when already due",
        HEAD + STEP.replace("}", ", opens: 30m, due: 30m}"),
        8,
        "stages[0].steps[0].opens",
        "already due",
        "before its deadline",
    ),
    Case(
        "a flood of reminders",
        HEAD + STEP.replace("}", ", remind: 1s}"),
        8,
        "stages[0].steps[0].remind",
        "flood",
        "1m",
    ),
    Case(
        "a step needs itself",
        HEAD + STEP.replace("}", ", needs: [a]}"),
        8,
        "stages[0].steps[0].needs",
        "itself",
        "own",
    ),
    Case(
        "it needs nobody",
        HEAD + STEP.replace("}", ", needs: [b]}"),
        8,
        "stages[0].steps[0].needs",
        "'b'",
        "one of s/a",
    ),
    Case(
        "steps wait for each other",
        HEAD
        + STEP.replace("}", ", needs: [b]}")
        + STEP.replace("id: a", "id: b").replace("}", ", needs: [a]}"),
        3,
        "stages",
        "wait for each other",
        "remove one",
    ),
    Case("a step twice", HEAD + STEP + STEP, 9, "stages[0].steps[1].id", "twice in stage 's'", "its own id"),
    Case(
        "published without approval",
        HEAD + DRAFT + STEP.replace("kind: act", "kind: publish").replace("}", ", of: d, needs: [d]}"),
        9,
        "stages[0].steps[1].needs",
        "nothing approves what 'a' publishes",
        "an approve step",
    ),
    Case(
        "approval of nothing",
        HEAD + STEP.replace("kind: act", "kind: approve"),
        8,
        "stages[0].steps[0].of",
        "names no draft",
        "of: the id",
    ),
    Case(
        "a key that means nothing here",
        HEAD + STEP.replace("}", ", brief: true}"),
        8,
        "stages[0].steps[0].brief",
        "means nothing in a step of kind act",
        "only for tell",
    ),
    Case(
        "an unknown condition",
        HEAD + STEP.replace("}", ", when: {orign: [x]}}"),
        8,
        "stages[0].steps[0].when.orign",
        "'orign' is not known",
        "did you mean origin?",
    ),
]
