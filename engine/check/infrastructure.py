"""Check of the infrastructure: database, disk, clock, keys, public address, processes, stuck messages."""

from __future__ import annotations

import shutil
import socket
import ssl
import stat
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from importlib import metadata
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from pendulum import DateTime

from engine.check.finding import CheckFinding, CheckFindings, failed, passed
from engine.delivery.links import AcknowledgeLink, AcknowledgeLinks, BadLink
from engine.installation import Installation
from engine.process import heartbeat
from engine.process.startup_checks import is_running
from storage.database import StorageError, check_writable, read_server_time
from storage.incidents.timeline import newest_fact_at
from storage.operational_metrics import count_stuck_messages
from storage.schema import require_current_schema
from storage.settings import SettingsError

MIN_FREE_BYTES = 1 << 30  # bytes
MIN_CERTIFICATE_LIFE = timedelta(days=14)  # of a certificate
MAX_CLOCK_SKEW = timedelta(seconds=5)
STUCK_AFTER = timedelta(minutes=10)
_PATIENCE = 5.0
_PROCESSES = ("web", "engine", "runner", "figures")
_OLD_BEAT = 15.0  # seconds
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def check_storage(installation: Installation, now: DateTime) -> CheckFindings:
    """Check that the database takes writes and keeps our time, the disk has room, and no message is stuck."""
    try:
        require_current_schema(installation.database)
        check_writable(installation.database)
    except StorageError as error:
        yield failed("database", str(error), f"数据库不可用：{error}")
        return
    yield passed("database", "takes writes, its schema is this program's", "可写，结构版本一致")
    yield from _database_clock(installation, now)
    free = shutil.disk_usage(installation.settings.home).free
    if free < MIN_FREE_BYTES:
        yield failed("disk", f"{free >> 20} MiB free: make room", f"磁盘仅剩 {free >> 20} MiB，请清理")
    else:
        yield passed("disk", f"{free >> 30} GiB free", f"剩余 {free >> 30} GiB")
    with installation.database.read() as connection:
        stuck = count_stuck_messages(connection, now - STUCK_AFTER)
    if stuck:
        yield failed("outbox", f"{stuck} messages wait for more than ten minutes", f"{stuck} 条消息积压超过十分钟")
    else:
        yield passed("outbox", "nothing is stuck", "没有积压")


def _database_clock(installation: Installation, now: DateTime) -> CheckFindings:
    ahead = _written_ahead(installation, now)
    if ahead:
        yield failed(
            "clock",
            f"the newest fact on record is {ahead:.0f} s ahead of it: set it right",
            f"时钟落后于最新记录 {ahead:.0f} 秒",
        )
        return
    if installation.database.is_sqlite:
        yield passed("clock", "one machine, one clock, behind nothing on record", "单机时钟，不落后于记录")
        return
    skew = abs((read_server_time(installation.database) - now).total_seconds())
    if skew > MAX_CLOCK_SKEW.total_seconds():
        yield failed(
            "clock", f"{skew:.0f} s from the database's: synchronise both", f"与数据库相差 {skew:.0f} 秒，请校时"
        )
    else:
        yield passed("clock", "the database's is the same", "与数据库一致")


def _written_ahead(installation: Installation, now: DateTime) -> float:
    """Seconds by which the clock is behind what was written with it; 0 where it is not."""
    with installation.database.read() as connection:
        newest = newest_fact_at(connection)
    behind = (newest - now).total_seconds() if newest is not None else 0.0
    return behind if behind > MAX_CLOCK_SKEW.total_seconds() else 0.0


def check_links(installation: Installation) -> CheckFindings:
    """Check that the key signs links that it reads back, nobody else reads it, and a phone can open them."""
    settings = installation.settings
    try:
        links = AcknowledgeLinks(settings.secret_key(), settings.links_url)
        links.read_token(links.make_url(AcknowledgeLink("check", "", "nobody")).rpartition("/")[2])
    except (SettingsError, BadLink) as error:
        yield failed("acknowledge links", str(error), f"确认链接不可用：{error}")
    else:
        mode = stat.S_IMODE(settings.secret_file.stat().st_mode)
        if mode & 0o077:
            yield failed(
                "acknowledge links",
                f"others may read {settings.secret_file.name}: chmod 600",
                "签名密钥权限过宽：chmod 600",
            )
        else:
            yield _accepted(links)
    yield from check_public_url(settings.links_url)


def _accepted(links: AcknowledgeLinks) -> CheckFinding:
    """Whether the web process reads links signed by this home: its key may have been replaced meanwhile."""
    try:
        _open(links.make_url(AcknowledgeLink("check", "", "nobody")))
    except urllib.error.HTTPError as answer:
        if answer.code in (HTTPStatus.BAD_REQUEST, HTTPStatus.GONE):
            what = "whoever serves them has another key: every link sent is dead; start `tocsin up` again"
            return failed("acknowledge links", what, "服务端密钥不同，已发链接全部失效：请重启 `tocsin up`")
    except (OSError, ValueError):
        pass  # nobody answers: that is the public address's to say
    return passed("acknowledge links", "signed and read back", "可签可验")


def _open(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_PATIENCE):
        pass


def check_version() -> CheckFindings:
    """Check that every library is one that this program works with: an upgrade may have changed one."""
    wrong = []
    for wanted in (Requirement(line) for line in metadata.requires("tocsin") or ()):
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} {found} is not {wanted.specifier}")
    if wrong:
        yield failed(
            "version",
            f"{wrong[0]}: install requirements.lock",
            f"依赖版本不符：{wrong[0]}，请按 requirements.lock 安装",
        )
    else:
        yield passed("version", f"{metadata.version('tocsin')}, its libraries fit", "依赖版本一致")


def check_public_url(url: str) -> CheckFindings:
    """Check that the public address answers, and how long its certificate is valid."""
    parts = urlsplit(url)
    try:
        _open(f"{url.rstrip('/')}/healthz")
    except (OSError, urllib.error.URLError, ValueError):
        yield failed(
            "public URL", f"{parts.netloc or url} does not answer: links are dead", "公开地址无响应，链接打不开"
        )
    else:
        if parts.hostname in _LOCAL:
            yield passed(
                "public URL", "answers; on this machine only: phones need TOCSIN_PUBLIC_URL", "可达，但仅限本机"
            )
        else:
            yield passed("public URL", "answers", "可达")
    if parts.scheme == "https":
        yield from _certificate(parts.hostname or "", parts.port or 443)


def _certificate(host: str, port: int) -> CheckFindings:
    try:
        with (
            socket.create_connection((host, port), timeout=_PATIENCE) as raw,
            ssl.create_default_context().wrap_socket(raw, server_hostname=host) as wrapped,
        ):
            ends = ssl.cert_time_to_seconds(str((wrapped.getpeercert() or {})["notAfter"]))
    except (OSError, KeyError, ValueError) as error:
        yield failed("certificate", f"not valid: {type(error).__name__}", "证书无效")
        return
    left = datetime.fromtimestamp(ends, UTC) - datetime.now(UTC)
    if left < MIN_CERTIFICATE_LIFE:
        yield failed("certificate", f"ends in {left.days} days: renew it", f"证书 {left.days} 天后到期")
    else:
        yield passed("certificate", f"valid for {left.days} days", f"有效期还有 {left.days} 天")


def check_processes(installation: Installation) -> CheckFindings:
    """Check that every process of `tocsin up` shows signs of life."""
    home = installation.settings.home
    if not is_running(home):
        yield failed("processes", "Tocsin does not run here: `tocsin up`", "Tocsin 未运行：`tocsin up`")
        return
    silent = [name for name in _PROCESSES if (beat := heartbeat.read_beat_age(home, name)) is None or beat > _OLD_BEAT]
    if silent:
        yield failed("processes", f"no sign of life: {', '.join(silent)}", f"无心跳：{', '.join(silent)}")
    else:
        yield passed("processes", "all show signs of life", "心跳正常")
