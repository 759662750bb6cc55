"""Prefect's Secret blocks over its REST API, by a server on loopback that answers as Prefect's does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.directory import ChannelConfigError, ChannelDirectory
from channels.secret_references import SecretMissing, read_prefect_block
from tests.receivers import Behaviour, HttpReceiver, unused_port

# Prefect REST API, "Read Block Document By Name For Block Type".
PATH = "/api/block_types/slug/secret/block_documents/name/robot"


@pytest.fixture
def prefect(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpReceiver]:
    with HttpReceiver() as server:
        monkeypatch.setenv("PREFECT_API_URL", f"{server.url}/api")
        server.script("/api", status=404, json={"detail": "Block document not found"})
        server.script(PATH, json={"name": "robot", "data": {"value": "b10cb10c"}, "block_type": {"slug": "secret"}})
        yield server


def test_a_block_is_read(prefect: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_prefect_block("robot") == "b10cb10c"
    (request,) = prefect.received
    assert (request.method, request.path, request.query) == ("GET", PATH, {"include_secrets": "true"})
    assert "authorization" not in request.headers
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:pass")
    read_prefect_block("robot")
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_1")
    read_prefect_block("robot")
    assert [r.headers["authorization"] for r in prefect.received[1:]] == ["Basic YWRtaW46cGFzcw==", "Bearer pnu_1"]


@pytest.mark.parametrize(
    ("answer", "words", "passing"),
    [
        (Behaviour(status=404, json={"detail": "Block document not found"}), "no Secret block", False),
        (Behaviour(status=401), "answered 401", False),
        (Behaviour(status=503), "answered 503", True),
        (Behaviour(cut="after"), "does not answer", True),
        (Behaviour(body="<html>"), "does not answer", True),
        (Behaviour(json={"data": {"value": ""}}), "holds no text", False),
        (Behaviour(json={"data": {"value": {"a": 1}}}), "holds no text", False),
    ],
)
def test_what_can_be_wrong(prefect: HttpReceiver, answer: Behaviour, words: str, passing: bool) -> None:
    prefect.script(PATH, answer)
    with pytest.raises(SecretMissing, match=words) as caught:
        read_prefect_block("robot")
    assert caught.value.passing is passing


def test_a_file_waits_for_the_server_that_is_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{unused_port()}/api")
    path = tmp_path / "c.yaml"
    path.write_text("urls:\n  - dingtalk://${block:robot}/:\n      tag: a\n", encoding="utf-8")
    with pytest.raises(ChannelConfigError, match=r"line 2: .*does not answer; start it") as caught:
        ChannelDirectory.load(path)
    assert caught.value.passing, "to be tried again, though the file has not changed"


def test_a_channel_by_block(tmp_path: Path, prefect: HttpReceiver) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("urls:\n  - dingtalk://${block:robot}/:\n      tag: a\n", encoding="utf-8")
    service: Any = ChannelDirectory.load(path)._by_id["a"].service
    assert service.token == "b10cb10c"
