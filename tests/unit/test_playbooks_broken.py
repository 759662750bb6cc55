"""Broken files: each case one sentence, and exactly what its reader is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.playbook import Playbook
from playbooks.errors import BadFile, FileFinding
from playbooks.playbook_loader import load_playbook, parse_playbook
from tests.unit.broken_playbooks import CASES, HEAD, STEP, Case


def findings(text: str) -> tuple[FileFinding, ...]:
    with pytest.raises(BadFile) as caught:
        parse_playbook(text, "p.yaml")
    return caught.value.findings


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_broken_file_says(case: Case) -> None:
    found = findings(case.text)
    hit = [finding for finding in found if (finding.line, finding.field) == (case.line, case.field)]
    assert hit, f"not at {case.line}, {case.field}: {[str(finding) for finding in found]}"
    assert case.reason in hit[0].reason
    assert case.remedy in hit[0].remedy
    assert hit[0].file == "p.yaml"


def test_one_mistake_is_one_finding() -> None:
    for case in CASES:
        if case.says in {
            "an unknown key",
            "a deadline after its stage",
            "a step needs itself",
            "steps wait for each other",
        }:
            assert len(findings(case.text)) == 1, case.says


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = HEAD.replace("ends: 1h", "ends: soon") + STEP.replace("kind: act", "kind: x").replace("title: A", "title: 1")
    found = findings(text)
    assert [(finding.line, finding.field) for finding in found] == [
        (6, "stages[0].ends"),
        (8, "stages[0].steps[0].kind"),
        (8, "stages[0].steps[0].title"),
    ]


def test_of_ten_thousand_mistakes_fifty_are_told_and_the_rest_counted() -> None:
    found = findings("id: p\n" + "".join(f"key{number}: x\n" for number in range(10_000)))
    assert len(found) == 51
    assert found[-1].reason == "and 9952 more mistakes"  # title and stages are missing too


def test_the_text_of_an_error_is_one_line_a_finding() -> None:
    with pytest.raises(BadFile) as caught:
        parse_playbook(HEAD + STEP.replace("kind: act", "kind: aprove"), "home/p.yaml")
    assert str(caught.value) == (
        "home/p.yaml:8: stages[0].steps[0].kind: 'aprove' is not known; "
        "did you mean approve? One of act, tell, draft, approve, publish, meet, run, survey"
    )


def test_a_finding_is_short_and_has_no_control_character_and_no_address() -> None:
    said = str(FileFinding("p\x1b[31m.yaml", 1, "id\n", "x" * 10_000_000, "y"))
    assert len(said) == 300
    assert said.startswith("p[31m.yaml:1: id : xxx")
    assert "hunter2" not in str(FileFinding("p", 1, "channels", "no mailto://me:hunter2@example.com here", "y"))


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    found = findings("\n".join(lines))
    assert [(finding.line, finding.reason) for finding in found] == [(5, "its aliases grow beyond all measure")]


def test_an_honest_alias_is_followed_and_its_mistakes_are_found_where_it_stands() -> None:
    shared = HEAD.replace("title: P", "title: &t {en: P, zh: 甲}").replace("title: S", "title: *t") + STEP
    assert parse_playbook(shared, "p.yaml").stages[0].title.zh == "甲"
    (finding,) = findings(shared.replace("zh: 甲", "zh: 1").replace("title: &t", "summary: A\ntitle: &t"))[:1]
    assert (finding.line, finding.field) == (3, "title.zh")


def test_words_that_yaml_once_took_for_something_else_stay_words() -> None:
    playbook = parse_playbook(HEAD.replace("title: P", "title: no") + STEP.replace("title: A", "title: 20:30"), "p")
    assert playbook.title.en == "no"
    assert playbook.stages[0].steps[0].title.en == "20:30"


def file_findings(path: Path) -> list[tuple[str, int | None, str]]:
    with pytest.raises(BadFile) as caught:
        load_playbook(path)
    return [(finding.file, finding.line, finding.reason) for finding in caught.value.findings]


def test_a_file_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes("id: p\ntitle: 致歉\n".encode("gb18030"))
    assert file_findings(path) == [(str(path), 2, "is not UTF-8 text")]


def test_a_file_of_10_mb_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"# " + b"a" * 10_000_000)
    assert file_findings(path) == [(str(path), None, "is larger than 1 MiB")]


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    gone = tmp_path / "gone.yaml"
    assert file_findings(gone) == [(str(gone), None, "cannot be read: No such file or directory")]
    assert file_findings(tmp_path) == [(str(tmp_path), None, "cannot be read: Is a directory")]


def test_a_byte_order_mark_is_welcome(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + STEP).encode())
    assert load_playbook(path).id == "p"


@given(
    st.text(max_size=300)
    | st.lists(
        st.sampled_from([*HEAD.splitlines(), STEP, "- ", "&a", "*a", "{", "]", "? "]),
    ).map("\n".join)
)
def test_whatever_the_text_it_loads_or_is_refused_with_findings(text: str) -> None:
    found: tuple[FileFinding, ...] = ()
    said = ""
    try:
        assert isinstance(parse_playbook(text, "p.yaml"), Playbook)
    except BadFile as error:
        found, said = error.findings, str(error)
    assert len(said.split("\n")) == max(1, len(found))
    assert all(len(line) <= 300 for line in said.split("\n"))
