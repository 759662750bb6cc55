"""No token reaches a log, whatever the level."""

import logging
from pathlib import Path

import pytest

from channels.directory import ChannelDirectory, warm_up
from channels.message import Message
from channels.redaction import Redactor
from tests.receivers import HttpReceiver, unused_port

TOKENS = ("p4ssw0rdpw", "tk_qwertyuiop", "headerT0ken", "pathT0kenabc", "queryT0ken", "Ünïcödé-秘密")


def test_redactor_knows_every_form() -> None:
    redactor = Redactor()
    redactor.learn(["Ünïcödé-秘密", "a b/c+d", "abc"])
    for text in (
        "Ünïcödé-秘密",
        "%C3%9Cn%C3%AFc%C3%B6d%C3%A9-%E7%A7%98%E5%AF%86",
        "\\xdcn\\xefc\\xf6d\\xe9-\\u79d8\\u5bc6",
        "a b/c+d",
        "a%20b%2Fc%2Bd",
        "a+b%2Fc%2Bd",
        "YSBiL2MrZA",
    ):
        assert redactor.clean(f"<{text}>") == "<***>"
    assert redactor.clean("abc") == "abc"
    assert redactor.clean("to HTTPS://h.example/x?y=z now") == "to HTTPS://*** now"
    assert redactor.clean("Authorization: Bearer abc.def") == "Authorization: Bearer ***"


@pytest.mark.parametrize("listening", [True, False])
def test_no_token_in_any_log_at_debug(tmp_path: Path, caplog: pytest.LogCaptureFixture, listening: bool) -> None:
    with HttpReceiver() as receiver:
        host = receiver.host if listening else f"127.0.0.1:{unused_port()}"
        receiver.script("/", status=400, json={"error": f"no {TOKENS[3]} here: http://h/{TOKENS[3]}"})
        path = tmp_path / "c.yaml"
        path.write_text(
            "urls:\n"
            f"  - 'json://u:{TOKENS[0]}@{host}/{TOKENS[3]}?+X-Auth={TOKENS[2]}&-t={TOKENS[4]}':\n"
            "      tag: a\n"
            f"  - 'ntfy://{TOKENS[1]}@{host}/{TOKENS[3]}':\n      tag: b\n"
            f"  - 'form://u:{TOKENS[5]}@{host}/{TOKENS[3]}?:token={TOKENS[4]}':\n      tag: c\n"
            f"  - 'xml://u:{TOKENS[0]}@{host}/{TOKENS[3]}':\n      tag: d\n",
            encoding="utf-8",
        )
        with caplog.at_level(logging.DEBUG), caplog.at_level(1, "apprise"), caplog.at_level(1, "urllib3"):
            directory = ChannelDirectory.load(path)
            outcomes = [directory.send(tag, Message("T", "body")) for tag in "abcd"]
    records = [record for record in caplog.records if record.name.split(".")[0] in {"apprise", "urllib3"}]
    assert len(records) > 5, "the test must see what is logged"
    told = caplog.text + repr(outcomes)
    assert [token for token in TOKENS if token in told] == []


def test_a_traceback_is_cleaned_too(caplog: pytest.LogCaptureFixture) -> None:
    warm_up()
    logger = logging.getLogger("apprise")
    try:
        int("http://h.example/hiddenpath")
    except ValueError:
        logger.exception("failed at %s", "http://h.example/hiddenpath")
    assert "ValueError" in caplog.text
    assert "hiddenpath" not in caplog.text


def test_urllib3_is_quiet_by_default() -> None:
    warm_up()
    assert logging.getLogger("urllib3").level >= logging.INFO
