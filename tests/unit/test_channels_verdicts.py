"""Reading answers and errors: pieces of the verdict that are tedious to bring about on a wire."""

import smtplib
import ssl
from pathlib import Path

import pytest
import requests
import urllib3.exceptions

from channels.adapters.registry import adapter_for
from channels.directory import ChannelDirectory
from channels.outcome import SendOutcome, SendVerdict
from channels.wire_verdicts import describe_error, receipt_of, retry_after
from tests.receivers import write_channels

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


def answer(body: bytes = b"", **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = 200
    response._content = body
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry_After": "0"}, 0.0),
        ({"Retry_After": " 12 "}, 12.0),
        ({"Retry_After": "99999999999"}, 86_400.0),
        ({"Retry_After": "-3"}, None),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "²"}, None),
        ({"Retry_After": "Sun, 22 Nov 2026 10:01:30 GMT", "Date": DATE}, 90.0),
        ({"Retry_After": "Sun, 22 Nov 2026 09:00:00 GMT", "Date": DATE}, 0.0),
        ({"Retry_After": "Sun, 22 Nov 2026 10:01:30", "Date": DATE}, None),
        ({"Retry_After": "Wed, 01 Jan 2020 00:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(answer(b"", **headers)) == seconds


@pytest.mark.parametrize(
    ("body", "receipt"),
    [
        (b'{"id": "x1", "url": "https://h/1"}', "x1"),
        (b'{"url": "https://h/1"}', "https://h/1"),
        (b'{"id": 0}', "0"),
        (b'{"id": "", "url": "u"}', "u"),
        (b'{"id": true}', None),
        (b'{"id": {"a": 1}}', None),
        (b'["id"]', None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
    ],
)
def test_receipt(body: bytes, receipt: str | None) -> None:
    assert receipt_of(answer(body), "id", "url") == receipt


def test_errors_are_told_in_our_own_words() -> None:
    name = urllib3.exceptions.NameResolutionError("secret.example", None, OSError("secret"))  # type: ignore[arg-type]
    errors = {
        "the host's name is not known": requests.ConnectionError(name),
        "TLS failed (certificate not accepted)": requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED secret"),
        "TLS failed (handshake)": requests.exceptions.SSLError("secret"),
        "no connection": requests.ConnectionError("secret"),
        "InvalidURL": requests.exceptions.InvalidURL("secret"),
    }
    for words, error in errors.items():
        assert describe_error(error, written=False) == f"{words}, before anything was sent"
    assert (
        describe_error(requests.ConnectionError("x"), written=True) == "connection cut, after the message was written"
    )


@pytest.mark.parametrize(
    ("error", "verdict", "words"),
    [
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 bad credentials"), SendVerdict.REFUSED, "535 5.7.8"),
        (smtplib.SMTPAuthenticationError(454, b"4.7.0 try later"), SendVerdict.FAILED, "454 4.7.0"),
        (smtplib.SMTPConnectError(421, b"4.3.2 busy"), SendVerdict.FAILED, "421 4.3.2"),
        (smtplib.SMTPNotSupportedError("secret"), SendVerdict.REFUSED, "check `mode=`"),
        (smtplib.SMTPServerDisconnected("secret"), SendVerdict.FAILED, "connection cut before the text"),
        (ssl.SSLCertVerificationError("secret"), SendVerdict.FAILED, "TLS failed before the text"),
        (UnicodeEncodeError("ascii", "secret", 0, 1, "secret"), SendVerdict.REFUSED, "characters"),
        (ssl.SSLError("secret"), SendVerdict.FAILED, "TLS failed before the text"),
        (ConnectionResetError("secret"), SendVerdict.FAILED, "connection cut before the text"),
    ],
)
def test_mail_errors_before_the_text(error: Exception, verdict: SendVerdict, words: str) -> None:
    from channels.adapters.email import _not_handed_over

    outcome = _not_handed_over(error)
    assert outcome.verdict is verdict
    assert words in outcome.detail
    assert "secret" not in outcome.detail


def test_detail_and_receipt_are_one_short_line() -> None:
    outcome = SendOutcome(SendVerdict.FAILED, "a\nb\x00", "x\r\ny " + "演" * 300)
    assert outcome.receipt == "a b"
    assert outcome.detail.startswith("x y 演")
    assert len(outcome.detail) == 200
    assert SendOutcome(SendVerdict.SENT, " \n").receipt is None


@pytest.mark.parametrize(
    ("url", "waking"),
    [
        ("ntfy://h/topic", True),
        ("json://h", False),
        ("mailto://h?from=a@example.org", False),
        ("pagerduty://" + "a" * 32 + "@" + "b" * 20 + "/", True),
        ("pover://" + "u" * 30 + "@" + "t" * 30 + "/?priority=emergency", True),
        ("pover://" + "u" * 30 + "@" + "t" * 30 + "/", False),
        ("gotify://h/tokentoken?priority=emergency", True),
        ("bark://h/device", True),
        ("opsgenie://" + "a" * 36, True),
        ("twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15551230000/15551230001?method=call", True),
        ("twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15551230000/15551230001", False),
        ("dingtalk://abc123/", False),
        ("signl4://secret", True),
        ("mmost://h/3ccdd113474722377935511fc85d3dd4", False),
    ],
)
def test_what_wakes(tmp_path: Path, url: str, waking: bool) -> None:
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url))
    assert directory.services("a")[0].waking is waking


def test_schemes_with_an_adapter_of_their_own() -> None:
    own = ("json", "jsons", "form", "forms", "mailto", "mailtos", "ntfy", "ntfys", "NTFY")
    assert {type(adapter_for(schema)).__name__ for schema in own} == {"JsonPost", "FormPost", "Email", "Ntfy"}
    asked_for = (
        "dingtalk", "wecombot", "wecomapp", "feishu", "lark", "schan", "pushplus", "slack", "workflows", "tgram",
        "pagerduty", "opsgenie", "twilio", "bark", "weibo",
    )  # fmt: skip
    assert all(adapter_for(schema).verified for schema in asked_for)
    assert not adapter_for("mmost").verified
