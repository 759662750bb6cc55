"""What everything else stands on: database, disk, clock, keys, the public address, the processes, what is stuck."""

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
from sqlalchemy import func, select, text

from engine import heartbeat
from engine.check.finding import Checks, Found, bad, good
from engine.house import House
from engine.links import BadLink, Link, Links
from engine.premises import is_running
from storage.database import StorageError
from storage.outbox import OUTBOX
from storage.schema import require_current
from storage.settings import SettingsError
from storage.timeline import FACT

LEAST_FREE = 1 << 30  # bytes
LEAST_LIFE = timedelta(days=14)  # of a certificate
MOST_SKEW = timedelta(seconds=5)
STUCK = timedelta(minutes=10)
_PATIENCE = 5.0
_PROCESSES = ("web", "engine", "runner", "figures")
_OLD_BEAT = 15.0  # seconds
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def check_storage(house: House, now: DateTime) -> Checks:
    """The database takes writes and keeps our time; the disk has room; nothing waits that should have gone."""
    try:
        require_current(house.database)
        with house.database.write() as connection:
            connection.execute(text("SELECT 1"))
    except StorageError as error:
        yield bad("database", str(error), f"数据库不可用：{error}")
        return
    yield good("database", "takes writes, its schema is this program's", "可写，结构版本一致")
    yield from _database_clock(house, now)
    free = shutil.disk_usage(house.settings.home).free
    if free < LEAST_FREE:
        yield bad("disk", f"{free >> 20} MiB free: make room", f"磁盘仅剩 {free >> 20} MiB，请清理")
    else:
        yield good("disk", f"{free >> 30} GiB free", f"剩余 {free >> 30} GiB")
    with house.database.read() as connection:
        late = select(func.count()).where(
            OUTBOX.c.state.in_(("pending", "retry", "leased")), OUTBOX.c.next_attempt_at < now - STUCK
        )
        stuck = int(connection.execute(late).scalar_one())
    if stuck:
        yield bad("outbox", f"{stuck} messages wait for more than ten minutes", f"{stuck} 条消息积压超过十分钟")
    else:
        yield good("outbox", "nothing is stuck", "没有积压")


def _database_clock(house: House, now: DateTime) -> Checks:
    ahead = _written_ahead(house, now)
    if ahead:
        yield bad(
            "clock",
            f"the newest fact on record is {ahead:.0f} s ahead of it: set it right",
            f"时钟落后于最新记录 {ahead:.0f} 秒",
        )
        return
    if house.database.is_sqlite:
        yield good("clock", "one machine, one clock, behind nothing on record", "单机时钟，不落后于记录")
        return
    with house.database.read() as connection:
        there = connection.execute(text("SELECT now()")).scalar_one()
    skew = abs((there - now).total_seconds())
    if skew > MOST_SKEW.total_seconds():
        yield bad("clock", f"{skew:.0f} s from the database's: synchronise both", f"与数据库相差 {skew:.0f} 秒，请校时")
    else:
        yield good("clock", "the database's is the same", "与数据库一致")


def _written_ahead(house: House, now: DateTime) -> float:
    """Seconds by which the clock is behind what was written with it; 0 where it is not."""
    with house.database.read() as connection:
        newest = connection.execute(select(func.max(FACT.c.at))).scalar_one_or_none()
    behind = (newest - now).total_seconds() if newest is not None else 0.0
    return behind if behind > MOST_SKEW.total_seconds() else 0.0


def check_links(house: House) -> Checks:
    """The key signs links that it reads back, nobody else reads it, and a phone can open them."""
    settings = house.settings
    try:
        links = Links(settings.secret_key(), settings.links_url)
        links.read(links.url(Link("check", "", "nobody")).rpartition("/")[2])
    except (SettingsError, BadLink) as error:
        yield bad("acknowledge links", str(error), f"确认链接不可用：{error}")
    else:
        mode = stat.S_IMODE(settings.secret_file.stat().st_mode)
        if mode & 0o077:
            yield bad(
                "acknowledge links",
                f"others may read {settings.secret_file.name}: chmod 600",
                "签名密钥权限过宽：chmod 600",
            )
        else:
            yield _accepted(links)
    yield from check_public_url(settings.links_url)


def _accepted(links: Links) -> Found:
    """Whether whoever serves the links reads what the key of this home signs: it may have been replaced under them."""
    try:
        _open(links.url(Link("check", "", "nobody")))
    except urllib.error.HTTPError as answer:
        if answer.code in (HTTPStatus.BAD_REQUEST, HTTPStatus.GONE):
            what = "whoever serves them has another key: every link sent is dead; start `tocsin up` again"
            return bad("acknowledge links", what, "服务端密钥不同，已发链接全部失效：请重启 `tocsin up`")
    except (OSError, ValueError):
        pass  # nobody answers: that is the public address's to say
    return good("acknowledge links", "signed and read back", "可签可验")


def _open(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_PATIENCE):
        pass


def check_version() -> Checks:
    """Every library is one that this program works with: an upgrade of the machine may have changed one."""
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
        yield bad(
            "version",
            f"{wrong[0]}: install requirements.lock",
            f"依赖版本不符：{wrong[0]}，请按 requirements.lock 安装",
        )
    else:
        yield good("version", f"{metadata.version('tocsin')}, its libraries fit", "依赖版本一致")


def check_public_url(url: str) -> Checks:
    """Whether links lead anywhere, and for how long their certificate does."""
    parts = urlsplit(url)
    try:
        _open(f"{url.rstrip('/')}/healthz")
    except (OSError, urllib.error.URLError, ValueError):
        yield bad("public URL", f"{parts.netloc or url} does not answer: links are dead", "公开地址无响应，链接打不开")
    else:
        if parts.hostname in _LOCAL:
            yield good("public URL", "answers; on this machine only: phones need TOCSIN_PUBLIC_URL", "可达，但仅限本机")
        else:
            yield good("public URL", "answers", "可达")
    if parts.scheme == "https":
        yield from _certificate(parts.hostname or "", parts.port or 443)


def _certificate(host: str, port: int) -> Checks:
    try:
        with (
            socket.create_connection((host, port), timeout=_PATIENCE) as raw,
            ssl.create_default_context().wrap_socket(raw, server_hostname=host) as wrapped,
        ):
            ends = ssl.cert_time_to_seconds(str((wrapped.getpeercert() or {})["notAfter"]))
    except (OSError, KeyError, ValueError) as error:
        yield bad("certificate", f"not valid: {type(error).__name__}", "证书无效")
        return
    left = datetime.fromtimestamp(ends, UTC) - datetime.now(UTC)
    if left < LEAST_LIFE:
        yield bad("certificate", f"ends in {left.days} days: renew it", f"证书 {left.days} 天后到期")
    else:
        yield good("certificate", f"valid for {left.days} days", f"有效期还有 {left.days} 天")


def check_processes(house: House) -> Checks:
    """Every process of `tocsin up` shows signs of life."""
    home = house.settings.home
    if not is_running(home):
        yield bad("processes", "Tocsin does not run here: `tocsin up`", "Tocsin 未运行：`tocsin up`")
        return
    silent = [name for name in _PROCESSES if (beat := heartbeat.read(home, name)) is None or beat > _OLD_BEAT]
    if silent:
        yield bad("processes", f"no sign of life: {', '.join(silent)}", f"无心跳：{', '.join(silent)}")
    else:
        yield good("processes", "all show signs of life", "心跳正常")
