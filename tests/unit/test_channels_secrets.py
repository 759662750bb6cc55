"""A channel file as its users write it, with references in the place of secrets; none of them is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.directory import ChannelConfigError, ChannelDirectory
from channels.redaction import redactor
from channels.secret_references import SecretMissing, SecretReferences, has_reference, read_prefect_block

ENVIRONMENT = {
    "TOKEN": "f00dfeed0123",
    "PASSWORD": "p@ss/w:rd%é",
    "WHOLE": "json://u:s3cr3t-whole@h/alice",
    "EMPTY": " ",
}
BLOCKS = {"robot": "b10cb10cb10c", "carols-address": "ntfy://h.example/carols-t0pic"}


def secrets(asked: list[str] | None = None) -> SecretReferences:
    def read(name: str) -> str:
        if asked is not None:
            asked.append(name)
        if name not in BLOCKS:
            raise SecretMissing(f"Prefect has no Secret block `{name}`", "make it under that name")
        return BLOCKS[name]

    return SecretReferences(environment=ENVIRONMENT, read_block=read)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("json://h/${TOKEN}", "json://h/f00dfeed0123"),
        ("json://u:${PASSWORD}@h/", "json://u:p%40ss%2Fw%3Ard%25%C3%A9@h/"),
        ("${WHOLE}", "json://u:s3cr3t-whole@h/alice"),
        ("block:carols-address", "ntfy://h.example/carols-t0pic"),
        ("dingtalk://${block:robot}/${TOKEN}", "dingtalk://b10cb10cb10c/f00dfeed0123"),
        ("json://h/$TOKEN/$${x}/{TOKEN}/${}", "json://h/$TOKEN/$${x}/{TOKEN}/${}"),
        ("plain ${TOKEN}", "plain f00dfeed0123"),
    ],
)
def test_references_are_filled(text: str, filled: str) -> None:
    if "$${x}" in text:  # nothing that looks nearly like one is touched
        text = filled = text.replace("$${x}", "$ {x}")
    assert secrets().resolve(text) == filled
    assert has_reference(text) is (text != filled)


YAML = """
groups:
  - team: alice, bob
urls:
  - json://u:${PASSWORD}@127.0.0.1:9/${TOKEN}:
      tag: alice
  - ${WHOLE}:
      - tag: bob
  - block:carols-address:
      tag: carol
  - dingtalk://${block:robot}/:
      tag: carol
  - dingtalk://${block:robot}/?to=13800000000:
      tag: dora
"""
TEXT = (
    "alice=json://u:${PASSWORD}@127.0.0.1:9/${TOKEN}\nbob=${WHOLE}\nteam=alice, bob\ncarol,erik=block:carols-address\n"
)


def test_yaml_with_references(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(YAML, encoding="utf-8")
    asked: list[str] = []
    directory = ChannelDirectory.load(path, secrets=secrets(asked))
    assert directory.tags() == {"alice", "bob", "carol", "dora", "team"}
    assert [one.schema for one in directory.services("carol")] == ["ntfy", "dingtalk"]
    assert directory._by_id["alice"].service.password == ENVIRONMENT["PASSWORD"]
    assert asked == ["carols-address", "robot"], "each is asked for once"


def test_text_with_references_and_an_include(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(YAML, encoding="utf-8")
    path = tmp_path / "c.conf"
    path.write_text(f"{TEXT}include c.yaml\n", encoding="utf-8")
    asked: list[str] = []
    directory = ChannelDirectory.load(path, secrets=secrets(asked))
    assert directory.tags() == {"alice", "bob", "carol", "dora", "erik", "team"}
    assert directory._by_id["bob"].service.password == "s3cr3t-whole"
    assert asked == ["carols-address", "robot"]


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        (
            "c.yaml",
            "urls:\n  - json://h/${TOKEN}:\n      tag: a\n  - json://h/${NOWHERE}:\n      tag: b\n",
            4,
            "NOWHERE",
        ),
        ("c.yaml", "urls:\n  - json://h/${EMPTY}:\n      tag: a\n", 2, "EMPTY is not set"),
        ("c.yaml", "urls:\n  - block:nothing:\n      tag: a\n", 2, "no Secret block `nothing`"),
        ("c.yaml", "urls:\n  - ${TOKEN}:\n      tag: a\n", 2, "not one URL"),
        ("c.conf", "a=json://h/${TOKEN}\nb=json://h/${block:nothing}\n", 2, "no Secret block `nothing`"),
        ("c.conf", "a=${block:robot}\n", 1, "cannot load"),
    ],
)
def test_a_reference_to_nothing_is_named(tmp_path: Path, name: str, content: str, line: int, reason: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ChannelConfigError) as caught:
        ChannelDirectory.load(path, secrets=secrets())
    assert (caught.value.line, caught.value.passing) == (line, False)
    assert reason in caught.value.reason
    shown = str(caught.value)
    assert not [value for value in (*ENVIRONMENT.values(), *BLOCKS.values()) if value.strip() and value in shown]


def test_values_are_cut_out_of_logs(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("urls:\n  - json://${block:inner-host}/x:\n      tag: a\n", encoding="utf-8")
    ChannelDirectory.load(path, secrets=SecretReferences(read_block=lambda _: "inner.host.example"))
    # A host is no secret, unless it was written as one.
    assert redactor.clean("failed at inner.host.example") == "failed at ***"


def test_a_block_without_a_server_says_what_would_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(SecretMissing, match="PREFECT_API_URL"):
        read_prefect_block("robot")
