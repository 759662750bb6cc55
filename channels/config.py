"""Reader of channel files: Apprise configurations, YAML or text, as Apprise users write them.

Apprise itself skips what it cannot load, logs it with the URL, and reports success. Here each entry is
loaded by itself, so that a bad one is named by its line and nothing of a broken file is taken over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml
from apprise import AppriseAsset
from apprise.config.base import ConfigBase
from apprise.plugins.base import NotifyBase
from apprise.tag import AppriseTag

from channels.errors import ChannelConfigError
from channels.outcome import one_line
from channels.redaction import redactor, suppress_logs
from channels.secret_references import SecretMissing, SecretReferences, has_reference

LONGEST_FILE_BYTES = 1_048_576
DEEPEST_INCLUDE = 3
_TAG = re.compile(r"[\w.-]+")
# Values that are settings rather than secrets; anything else in a URL is treated as one.
_SETTINGS = frozenset(
    {"yes", "no", "true", "false", "post", "text", "html", "markdown", "insecure", "starttls", "high"}
    # What Apprise itself writes into an address: actions of Opsgenie, the source and component of PagerDuty.
    | {"map", "new", "close", "delete", "acknowledge", "note", "apprise", "notification"}
)
# Settings that a file's `asset:` section does not change.
_OURS: dict[str, Any] = {
    "async_mode": False,
    "interpret_emojis": False,
    "interpret_escapes": False,
    "secure_logging": True,
    "http_redirects": False,
}
_EXAMPLE = "write `- json://host/path:` with `tag: NAME` under it"


@dataclass(frozen=True, repr=False)
class LoadedService:
    """One service of a channel file. It holds secrets, so its repr shows nothing.

    Attributes:
        service: The Apprise plugin object.
        sandbox: It was declared `sandbox: true`.
    """

    service: NotifyBase
    sandbox: bool


@dataclass(frozen=True, repr=False)
class _Entry:
    """One URL entry as written, before Apprise reads it."""

    line: int
    content: str
    is_yaml: bool
    sandboxes: tuple[bool, ...] = (False,)


def new_asset() -> AppriseAsset:
    """Apprise settings that all services of a file share: synchronous, texts unchanged, no redirects."""
    asset = AppriseAsset(**_OURS)
    asset.app_id = "Tocsin"
    return asset


def read_services(path: Path, *, depth: int = 0, secrets: SecretReferences | None = None) -> list[LoadedService]:
    """Every service in `path` and the files it includes, in order; its references filled from `secrets`.

    Raises:
        ChannelConfigError: The file or any entry of it cannot be used.
    """
    content = _read(path)
    asset = new_asset()
    secrets = secrets or SecretReferences()
    if path.suffix.lower() in {".yaml", ".yml"}:
        entries, includes = _yaml_entries(path, content, secrets)
    else:
        entries, includes = _text_entries(path, content, secrets)
    redactor.learn(secrets.found)
    loaded = [item for entry in entries for item in _load(path, entry, asset)]
    for line, target in includes:
        loaded += _included(path, line, target, depth, secrets)
    if not loaded:
        raise ChannelConfigError(path, None, "no service in it", f"under `urls:` {_EXAMPLE}")
    return loaded


def tags_of(service: NotifyBase) -> list[tuple[int, str]]:
    """Tags of a service with Apprise's priority of each (0 first), as Apprise keeps them: lower case."""
    return sorted((tag.priority if isinstance(tag, AppriseTag) else 0, str(tag).lower()) for tag in service.tags)


def secrets_of(service: NotifyBase) -> set[str]:
    """Secret parts of a service's address: all but scheme and settings."""
    parts = urlsplit(str(service.url(privacy=False)))  # type: ignore[no-untyped-call]
    found = {unquote(part) for part in parts.path.split("/") if part.lower() not in _SETTINGS}
    found |= {unquote(part) for part in (parts.username or "", parts.password or "")}
    found |= {value for name, value in parse_qsl(parts.query) if not _is_setting(service, name, value)}
    if "host" not in service.template_tokens:
        found.add(unquote(parts.netloc.rpartition("@")[2]))
    private = {name for name, spec in service.template_tokens.items() if spec.get("private")}
    found |= {value for name in private | {"password", "token"} if isinstance(value := vars(service).get(name), str)}
    return {secret for secret in found if secret and not _is_harmless(secret)}


def _is_setting(service: NotifyBase, name: str, value: str) -> bool:
    """Whether a query value only tunes: else an ordinary word such as `before` would be cut out of every text."""
    spec = service.template_args.get(name, {})
    kind = str(spec.get("type", ""))
    chosen = not spec.get("private") and (kind.startswith("choice") or kind in {"bool", "int", "float"})
    return chosen or value.lower() in _SETTINGS


def _is_harmless(value: str) -> bool:
    return value.replace(".", "", 1).isdigit() and len(value) < 6  # noqa: PLR2004 - a port or time-out


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LONGEST_FILE_BYTES:
            raise ChannelConfigError(path, None, "larger than 1 MB", "give the channel file, not another one")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ChannelConfigError(path, line, "not UTF-8", "save the file as UTF-8") from None
    except FileNotFoundError:
        raise ChannelConfigError(path, None, "no such file", "create it or name another") from None
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
        raise ChannelConfigError(path, None, reason, "make it readable for this user") from None


def _yaml_entries(path: Path, content: str, secrets: SecretReferences) -> tuple[list[_Entry], list[tuple[int, str]]]:
    try:
        data = yaml.safe_load(content)
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The problem may quote a piece of the file, which may be a piece of a secret.
        problem = re.sub(r"'[^']{2,}'", "'…'", error.problem or "not YAML")
        line = mark.line + 1 if mark else None
        raise ChannelConfigError(path, line, f"not valid YAML ({problem})", "mend the YAML there") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ChannelConfigError(path, None, "not valid YAML", "mend the YAML") from None
    if not isinstance(data, dict) or not isinstance(root, yaml.MappingNode):
        raise ChannelConfigError(path, None, "not an Apprise configuration", f"begin with `urls:` and {_EXAMPLE}")
    if data.get("version", 1) != 1:
        raise ChannelConfigError(path, _line_of(root, "version"), "unknown version", "write `version: 1`")
    includes = [(_line_of(root, "include") or 1, target) for target in _include_targets(data.get("include"))]
    urls = data.get("urls")
    if urls is None and includes:
        return [], includes
    if not isinstance(urls, list) or not urls:
        raise ChannelConfigError(path, _line_of(root, "urls"), "`urls` is no list", f"under `urls:` {_EXAMPLE}")
    nodes = next(value for key, value in root.value if key.value == "urls").value
    shared = {key: data[key] for key in ("tag", "tags", "groups", "asset") if key in data}
    if isinstance(shared.get("asset"), dict):
        shared["asset"] = {key: value for key, value in shared["asset"].items() if key not in _OURS}
    lines = [node.start_mark.line + 1 for node in nodes]
    filled = [_filled(path, line, url, secrets) for url, line in zip(urls, lines, strict=True)]
    return [_yaml_entry(path, url, line, shared) for url, line in zip(filled, lines, strict=True)], includes


def _filled(path: Path, line: int, value: Any, secrets: SecretReferences) -> Any:
    """A piece of the file, every text in it with its references replaced."""
    if isinstance(value, str):
        try:
            return secrets.resolve(value) if has_reference(value) else value
        except SecretMissing as missing:
            raise ChannelConfigError(path, line, missing.reason, missing.remedy, passing=missing.passing) from None
    if isinstance(value, list):
        return [_filled(path, line, one, secrets) for one in value]
    if isinstance(value, dict):
        # `- block:NAME:` with settings under it: YAML takes the last colon for its own.
        pairs = ((_filled(path, line, key, secrets), _filled(path, line, one, secrets)) for key, one in value.items())
        return dict(pairs)
    return value


def _yaml_entry(path: Path, url: Any, line: int, shared: dict[str, Any]) -> _Entry:
    sandboxes: tuple[bool, ...] = (False,)
    if isinstance(url, dict):
        schemed = [key for key in url if isinstance(key, str) and "://" in key]
        if len(schemed) != 1:
            raise ChannelConfigError(path, line, "not one URL", f"one entry has one URL: {_EXAMPLE}")
        inner = url[schemed[0]]
        items = inner if isinstance(inner, list) else [inner]
        for_all = _take_sandbox(path, line, url)
        sandboxes = tuple(_take_sandbox(path, line, item) or for_all for item in items)
    elif not isinstance(url, str) or "://" not in url:
        raise ChannelConfigError(path, line, "not a URL", _EXAMPLE)
    content = yaml.safe_dump({**shared, "urls": [url]}, allow_unicode=True)
    return _Entry(line, content, is_yaml=True, sandboxes=sandboxes)


def _take_sandbox(path: Path, line: int, settings: Any) -> bool:
    """Our own word in an Apprise entry, taken out before Apprise reads it."""
    declared = settings.pop("sandbox", False) if isinstance(settings, dict) else False
    if not isinstance(declared, bool):
        raise ChannelConfigError(path, line, "`sandbox` is neither true nor false", "write `sandbox: true`")
    return declared


def _include_targets(include: Any) -> Iterator[str]:
    if isinstance(include, str):
        yield from re.split(r"[\s,]+", include.strip())
    elif isinstance(include, list):
        yield from (str(target) for target in include)


def _line_of(root: yaml.MappingNode, key: str) -> int | None:
    return next((name.start_mark.line + 1 for name, _ in root.value if name.value == key), None)


def _text_entries(path: Path, content: str, secrets: SecretReferences) -> tuple[list[_Entry], list[tuple[int, str]]]:
    groups: list[str] = []
    urls: list[tuple[int, str]] = []
    includes: list[tuple[int, str]] = []
    for number, raw in enumerate(content.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if match := re.fullmatch(r"include\s+(.+)", line, re.IGNORECASE):
            includes.append((number, match[1]))
        elif "://" in line or has_reference(line.rpartition("=")[2].strip()):
            urls.append((number, _filled_line(path, number, line, secrets)))
        elif "=" in line:
            groups.append(line)
        else:
            raise ChannelConfigError(path, number, "neither a URL nor a group", "write `TAG=json://host/path`")
    return [_Entry(n, "\n".join([*groups, url]), is_yaml=False) for n, url in urls], includes


def _filled_line(path: Path, number: int, line: str, secrets: SecretReferences) -> str:
    """`TAG=ADDRESS`: only the address holds references, and may be one."""
    tags, equals, address = line.partition("=") if not line.split("=", 1)[0].count("://") else ("", "", line)
    return f"{tags}{equals}{_filled(path, number, address.strip(), secrets)}"


def _load(path: Path, entry: _Entry, asset: AppriseAsset) -> list[LoadedService]:
    parse = ConfigBase.config_parse_yaml if entry.is_yaml else ConfigBase.config_parse_text
    with suppress_logs():  # Apprise logs what it cannot load; the error raised below says it better.
        services = cast("list[NotifyBase]", parse(entry.content, asset=asset)[0])
    if len(services) != len(entry.sandboxes):
        one = len(entry.sandboxes) == 1
        reason = "Apprise cannot load this service" if one else "Apprise cannot load all of these services"
        remedy = "check its scheme and what that scheme needs (https://github.com/caronc/apprise)"
        raise ChannelConfigError(path, entry.line, reason, remedy)
    for service in services:
        _check(path, entry.line, service)
        redactor.learn(secrets_of(service))
    return [LoadedService(*pair) for pair in zip(services, entry.sandboxes, strict=True)]


def _check(path: Path, line: int, service: NotifyBase) -> None:
    if service.optional:
        reason = "`optional=yes` would report a failure as a success"
        raise ChannelConfigError(path, line, reason, "remove it: every channel counts here")
    tags = tags_of(service)
    if not tags:
        raise ChannelConfigError(path, line, "no tag, so nobody can be reached by it", f"{_EXAMPLE}")
    bad = next((tag for _, tag in tags if not _TAG.fullmatch(tag)), None)
    if bad is not None:
        remedy = "use letters, digits, `-`, `_` and `.` (`alice#2` is how a tag's second service is called)"
        raise ChannelConfigError(path, line, f"tag `{one_line(bad, 40)}` cannot be an id", remedy)


def _included(path: Path, line: int, target: str, depth: int, secrets: SecretReferences) -> list[LoadedService]:
    location = target.removeprefix("file://")
    if "://" in location:
        raise ChannelConfigError(path, line, "include of something other than a file", "save it beside this file")
    if depth >= DEEPEST_INCLUDE:
        raise ChannelConfigError(path, line, "included too deeply", f"include at most {DEEPEST_INCLUDE} deep")
    return read_services(path.parent / location, depth=depth + 1, secrets=secrets)
