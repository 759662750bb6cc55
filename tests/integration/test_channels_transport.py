"""Kept connections, many threads at once, speed, and the receivers themselves."""

import http.client
import logging
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from channels import transport
from channels.directory import ChannelDirectory
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from tests.receivers import HttpReceiver, MailBehaviour, SmtpReceiver, unused_port, write_channels

SECONDS_FOR_A_THOUSAND = 1.5
# Other tests share the machine: its own time must keep the promise, the wall clock may show twice that.
SLACK = 2.0


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def directory(tmp_path: Path, receiver: HttpReceiver) -> ChannelDirectory:
    host = receiver.host
    urls = {"alice": f"json://{host}/alice", "bob": f"form://{host}/bob", "carol": f"ntfy://{host}/carol"}
    return ChannelDirectory.load(write_channels(tmp_path / "c.yaml", **urls))


@pytest.fixture
def other_process() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.receivers"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{process.stdout.readline().split()[-1]}"
        process.kill()


def test_one_connection_for_many_notices_of_all_channels(directory: ChannelDirectory, receiver: HttpReceiver) -> None:
    for number in range(60):
        assert directory.send(("alice", "bob", "carol")[number % 3], Message("T", "b")).verdict is SendVerdict.SENT
    assert receiver.connections == 1


def test_publication_takes_a_connection_of_its_own(directory: ChannelDirectory, receiver: HttpReceiver) -> None:
    for _ in range(3):
        assert directory.send("alice", Message("", "text", public=True)).verdict is SendVerdict.SENT
    assert receiver.connections == 3


def test_connection_that_was_idle_is_not_trusted(
    directory: ChannelDirectory, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.send("alice", Message("T", "b"))
    monkeypatch.setattr(transport, "IDLE_SECONDS", 0.0)
    directory.send("alice", Message("T", "b"))
    assert receiver.connections == 2


def test_server_that_closed_a_kept_connection_costs_nothing(tmp_path: Path, receiver: HttpReceiver) -> None:
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=f"json://{receiver.host}/a"))
    assert directory.send("a", Message("T", "b")).verdict is SendVerdict.SENT
    port = receiver.port
    receiver.stop()
    with HttpReceiver(port) as again:
        assert directory.send("a", Message("T", "b")).verdict is SendVerdict.SENT
        assert len(again.received) == 1


def test_sixteen_threads_get_each_their_own_outcome(directory: ChannelDirectory, receiver: HttpReceiver) -> None:
    receiver.script("/bob", status=404)

    def send(number: int) -> tuple[int, SendOutcome]:
        return number, directory.send(("alice", "bob", "carol")[number % 3], Message("T", "b", key=f"k{number}"))

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(send, range(480)))
    arrived = {request.headers["x-tocsin-key"]: request for request in receiver.received}
    assert len(receiver.received) == len(arrived) == 480
    for number, outcome in outcomes:
        expected = SendVerdict.REFUSED if number % 3 == 1 else SendVerdict.SENT
        assert outcome.verdict is expected
        if expected is SendVerdict.SENT:
            assert outcome.receipt == f"r-{arrived[f'k{number}'].number}"
    assert receiver.connections <= 16


def test_slow_channel_holds_up_no_other(tmp_path: Path, receiver: HttpReceiver) -> None:
    receiver.script("/slow", delay=1.0)
    urls = {"slow": f"json://{receiver.host}/slow", "quick": f"json://{receiver.host}/quick"}
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", **urls))
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(directory.send, "slow", Message("T", "b")) for _ in range(3)]
        receiver.wait_for(lambda received: len(received) == 3)
        began = time.monotonic()
        assert directory.send("quick", Message("T", "b")).verdict is SendVerdict.SENT
        assert time.monotonic() - began < 0.5
        assert {future.result().verdict for future in slow} == {SendVerdict.SENT}


def test_endless_answer_is_not_read_to_its_end(tmp_path: Path, receiver: HttpReceiver) -> None:
    receiver.script("/a", body='{"id": "7", "page": "' + "x" * 3_000_000 + '"}')
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=f"json://{receiver.host}/a"))
    outcome = directory.send("a", Message("T", "b"))
    assert (outcome.verdict, outcome.receipt) == (SendVerdict.SENT, None)
    assert directory.send("a", Message("T", "b")).verdict is SendVerdict.SENT
    assert receiver.connections == 2, "a connection with an unread rest is not used again"


@pytest.mark.parametrize("channel", ["ntfy", "mail"])
def test_no_send_takes_longer_than_all_of_it_may(
    tmp_path: Path, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch, channel: str
) -> None:
    monkeypatch.setattr(transport, "SEND_SECONDS", 2.0)
    receiver.script("/", delay=1.5)
    with SmtpReceiver() as mail:
        mail.behaviour = MailBehaviour(delay=1.5)
        targets = "/a@example.org/b@example.org/c@example.org"
        urls = {
            "ntfy": f"ntfy://{receiver.host}/one/two/three",
            "mail": f"mailto://{mail.host}{targets}?from=o@e.org",
        }
        directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", **urls))
        began = time.monotonic()
        outcome = directory.send(channel, Message("T", "b"))
    assert time.monotonic() - began < 3.5
    assert outcome.verdict is SendVerdict.UNKNOWN
    assert " of 3" in outcome.detail


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [({}, SendVerdict.SENT), ({"cut": "after"}, SendVerdict.UNKNOWN), ({"status": 502}, SendVerdict.FAILED)],
)
def test_through_a_proxy(
    tmp_path: Path,
    receiver: HttpReceiver,
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, Any],
    verdict: SendVerdict,
) -> None:
    monkeypatch.setenv("http_proxy", receiver.url)
    monkeypatch.setenv("no_proxy", "")
    transport._proxies.cache_clear()
    receiver.script("/", **answer)
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a="json://service.invalid/alice"))
    outcome = directory.send("a", Message("T", "b"))
    transport._proxies.cache_clear()
    assert outcome.verdict is verdict, outcome
    assert receiver.received[0].headers["host"] == "service.invalid"


def test_a_proxy_that_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("no_proxy", "")
    transport._proxies.cache_clear()
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a="json://service.invalid/alice"))
    outcome = directory.send("a", Message("T", "b"))
    transport._proxies.cache_clear()
    assert (outcome.verdict, outcome.detail) == (
        SendVerdict.FAILED,
        "connection refused, before anything was sent",
    )


def test_no_proxy_between_us_and_loopback(
    directory: ChannelDirectory, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("no_proxy", "")
    transport._proxies.cache_clear()
    assert directory.send("alice", Message("T", "b")).verdict is SendVerdict.SENT
    transport._proxies.cache_clear()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate of our own making for localhost, as file and as a server holds it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(built.public_bytes(Encoding.PEM) + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return path, context


def test_tls_counts_only_with_a_certificate_that_is_trusted(
    tmp_path: Path, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, context = certificate
    with HttpReceiver(tls=context) as receiver:
        url = f"jsons://localhost:{receiver.port}/a"
        directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url, b=f"{url}?verify=no"))
        transport._ca_bundle.cache_clear()
        refused = directory.send("a", Message("T", "b"))
        assert (refused.verdict, refused.detail) == (
            SendVerdict.FAILED,
            "TLS failed (certificate not accepted), before anything was sent",
        )
        assert directory.send("b", Message("T", "b")).verdict is SendVerdict.SENT
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
        transport._ca_bundle.cache_clear()
        assert directory.send("a", Message("T", "b")).verdict is SendVerdict.SENT
        transport._ca_bundle.cache_clear()
        assert len(receiver.received) == 2
        receiver.script("/", cut="after")
        assert directory.send("b", Message("T", "b")).verdict is SendVerdict.UNKNOWN


def test_mail_by_starttls(tmp_path: Path, certificate: tuple[Path, ssl.SSLContext]) -> None:
    with SmtpReceiver(certificate[1]) as mail:
        url = f"mailtos://localhost:{mail.port}?from=ops@example.org&to=alice@example.org"
        directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url, b=f"{url}&verify=no"))
        refused = directory.send("a", Message("T", "b"))
        assert (refused.verdict, refused.detail) == (
            SendVerdict.FAILED,
            "TLS failed before the text was handed over",
        )
        assert directory.send("b", Message("T", "b")).verdict is SendVerdict.SENT
        assert len(mail.received) == 1


def test_mail_server_without_the_encryption_asked_for(tmp_path: Path) -> None:
    with SmtpReceiver() as mail:
        url = f"mailtos://{mail.host}?from=ops@example.org&to=alice@example.org"
        outcome = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url)).send("a", Message("T", "b"))
    assert outcome.verdict is SendVerdict.REFUSED
    assert mail.received == []


def test_generic_channel_does_not_sleep_between_messages(tmp_path: Path, receiver: HttpReceiver) -> None:
    # Mattermost's plugin waits 5.5 s between calls unless told otherwise.
    url = f"mmost://{receiver.host}/3ccdd113474722377935511fc85d3dd4"
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=url))
    began = time.monotonic()
    outcomes = [directory.send("a", Message("T", "b")) for _ in range(3)]
    assert time.monotonic() - began < 2
    assert {outcome.verdict for outcome in outcomes} == {SendVerdict.UNVERIFIED}
    assert len(receiver.received) == 3


def test_facade_is_requests_itself_outside_of_a_send(directory: ChannelDirectory, receiver: HttpReceiver) -> None:
    plugin: Any = sys.modules["apprise.plugins.custom_json"]
    assert plugin.requests is not requests
    assert plugin.requests.RequestException is requests.RequestException
    assert plugin.requests.post(f"{receiver.url}/x", data="y", timeout=5).status_code == 200
    assert receiver.received[0].body == b"y"


def test_a_thousand_posts_on_one_thread(tmp_path: Path, other_process: str) -> None:
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=f"json://{other_process}/a"))
    directory.send("a", Message("T", "b"))
    seconds, own = [], []
    for _ in range(3):
        began, own_began = time.perf_counter(), time.process_time()
        for number in range(1000):
            assert directory.send("a", Message("T", "b" * 300, key=str(number))).verdict is SendVerdict.SENT
        seconds.append(time.perf_counter() - began)
        own.append(time.process_time() - own_began)
    print(f"1,000 posts: {min(seconds):.2f} s at best, {max(seconds):.2f} s at worst")
    assert min(own) <= SECONDS_FOR_A_THOUSAND
    assert min(seconds) <= SECONDS_FOR_A_THOUSAND * SLACK


def test_receiver_process_tells_and_takes_orders(tmp_path: Path, other_process: str) -> None:
    directory = ChannelDirectory.load(write_channels(tmp_path / "c.yaml", a=f"json://{other_process}/a"))

    def ask(path: str, order: dict[str, object] | None = None) -> dict[str, object]:
        url = f"http://{other_process}{path}"
        answer = requests.get(url, timeout=5) if order is None else requests.post(url, json=order, timeout=5)
        told: dict[str, object] = answer.json()
        return told

    directory.send("a", Message("一", "b", key="k1"))
    ask("/_script", {"prefix": "/a", "status": 503, "headers": {"Retry-After": "9"}, "times": 1})
    assert directory.send("a", Message("二", "b")).retry_after == 9.0
    assert directory.send("a", Message("三", "b")).verdict is SendVerdict.SENT
    told = ask("/_received?since=1")
    assert told["next"] == 3
    received = told["received"]
    assert isinstance(received, list)
    assert [(r["number"], r["path"], r["json"]["title"]) for r in received] == [
        (1, "/a", "二"),
        (2, "/a", "三"),
    ]
    assert received[0]["at"] == pytest.approx(time.time(), abs=30)


def test_receiver_reads_a_request_in_pieces_and_two_at_once(receiver: HttpReceiver) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=5)
    connection.connect()
    assert connection.sock is not None
    head = b"POST /x?a=1&b= HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"
    for piece in (head[:20], head[20:], b"bo", b"dy" + head + b"next"):
        connection.sock.sendall(piece)
    first, second = receiver.wait_for(lambda received: len(received) == 2 and list(received)) or []
    assert (first.method, first.path, first.query, first.body) == ("POST", "/x", {"a": "1", "b": ""}, b"body")
    assert second.body == b"next"
    connection.close()


def test_receiver_says_what_arrived_when_the_wait_is_in_vain(receiver: HttpReceiver) -> None:
    requests.get(f"{receiver.url}/here", timeout=5)
    with pytest.raises(AssertionError, match="/here"):
        receiver.wait_for(lambda received: len(received) == 2, timeout=0.05)


def test_nothing_is_logged_by_default(directory: ChannelDirectory, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    directory.send("alice", Message("T", "b"))
    assert [record for record in caplog.records if record.name.startswith(("apprise", "urllib3"))] == []
