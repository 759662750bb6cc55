"""Settings of an installation: environment variables that begin with `TOCSIN_`.

Each field's description is its documentation; the settings page and `tocsin doctor` are made from them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "TOCSIN_"
_POSTGRES_SCHEMES = ("postgres", "postgresql", "postgresql+psycopg")
_SQLITE_SCHEMES = ("sqlite", "sqlite+pysqlite")
_KEY_BYTES = 32
_KEY_LENGTH = _KEY_BYTES * 2


class SettingsError(ValueError):
    """A setting is wrong. The text is one line that names the variable and says what would be right."""


class Settings(BaseSettings):
    """All settings of one installation, read once at the edge and passed down; made by `load_settings`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(
        default=Path(".tocsin"),
        description="Folder with the data and the configuration (roster, channels, playbooks, logs). "
        "A relative path starts at the working folder.",
    )
    database_url: str = Field(
        default="",
        description="Where the truth is kept: sqlite:///FILE or postgresql://USER@HOST/NAME. "
        "Empty: the file tocsin.db in the home folder.",
        repr=False,
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address on which the pages and the API listen. 0.0.0.0 opens them to the network.",
    )
    port: int = Field(default=7700, ge=1, le=65535, description="Port of the pages and the API.")
    prefect_port: int = Field(
        default=7701, ge=1, le=65535, description="Port of the embedded Prefect server, on loopback only."
    )
    public_url: str = Field(
        default="",
        description="Address under which people reach the pages; the links in messages begin with it. "
        "Empty: http://127.0.0.1 and the port, which is dead on a phone.",
    )
    worker_query_seconds: float = Field(
        default=5.0,
        ge=0.5,
        le=60,
        description="Seconds between two looks of the Prefect worker for runs to start.",
    )
    runner_poll_seconds: float = Field(
        default=0.2,
        ge=0.02,
        le=10,
        description="Seconds between two looks of the runner for responses that are due.",
    )
    guarantor_after_seconds: float = Field(
        default=0.5,
        ge=0.1,
        le=60,
        description="Seconds after which the engine takes an overdue turn or send itself, without Prefect.",
    )
    homes: int = Field(
        default=1,
        ge=1,
        le=100,
        description="How many homes (machines) share one database: each keeps to its share of every channel's rate.",
    )
    heartbeat_url: str = Field(
        default="",
        repr=False,
        description="An address outside that is asked once a minute while nothing is wrong, so that a watcher there "
        "notices when it is not. Empty: none.",
    )
    rule_profile: str = Field(
        default="standard",
        pattern=r"^[a-z][a-z0-9-]{0,39}$",
        description="Which warning rules are in force beside those of every profile: standard or strict.",
    )
    log_max_bytes: int = Field(
        default=5_000_000,
        ge=10_000,
        description="Size in bytes at which the log of a child process is rotated; one older file is kept.",
    )
    samples_hours: float = Field(
        default=26.0,
        ge=2.0,
        le=24 * 35,
        description="Hours for which a raw sample is kept after its arrival; a repeat within them counts once.",
    )
    history_days: float = Field(
        default=63.0,
        ge=1.0,
        le=800.0,
        description="Days of history by the minute; older figures are refused. Eight weeks and a reserve are what "
        "the shipped rules against the same hours of earlier weeks need.",
    )

    session_idle_hours: float = Field(
        default=24.0,
        ge=0.1,
        le=24 * 30,
        description="Hours after which a browser that showed no sign of life is logged out.",
    )
    session_days: float = Field(
        default=7.0,
        ge=0.01,
        le=90.0,
        description="Days after which a browser is logged out in any case; seven outlast a whole incident.",
    )

    oidc_issuer: str = Field(
        default="",
        description="Single sign-on by OpenID Connect: the provider's issuer, for example https://id.example.org. "
        "Empty: none.",
    )
    oidc_client_id: str = Field(default="", description="As the provider knows this installation.")
    oidc_client_secret: str = Field(default="", repr=False, description="What the provider gave for it; empty: none.")
    oidc_title: str = Field(default="Single sign-on", description="What the button of the login page says.")
    oidc_scopes: str = Field(
        default="openid profile email", description="What the provider is asked for; `openid` is among it."
    )
    oidc_name_claim: str = Field(
        default="preferred_username", description="The claim that names the account; of an e-mail what stands before @."
    )
    oidc_role_claim: str = Field(default="groups", description="The claim whose values give a role.")
    oidc_roles: str = Field(
        default="",
        description="What of that claim gives which role: `oncall=responder,leads=commander`; the highest counts.",
    )
    oidc_unknown: str = Field(
        default="refuse",
        pattern="^(refuse|viewer)$",
        description="Whoever has no account and no value that gives a role: refuse or viewer.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (the signature is pydantic-settings')
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment; there is no third place to look."""
        return init_settings, env_settings

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        # Children are started in other folders: a relative path would mean another place there.
        return Path(os.path.abspath(home.expanduser()))  # noqa: PTH100  (resolve() would follow a symbolic link)

    @field_validator("database_url")
    @classmethod
    def _driver(cls, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if not url:
            return url
        if separator and scheme in _POSTGRES_SCHEMES:
            return f"postgresql+psycopg://{rest}"
        if separator and scheme in _SQLITE_SCHEMES:
            return f"sqlite+pysqlite://{_absolute_file(rest)}"
        raise ValueError("must begin with sqlite:/// or postgresql://")

    @field_validator("heartbeat_url")
    @classmethod
    def _watched_from(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, url: str) -> str:
        parts = urlsplit(url)
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if url and not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise ValueError("must begin with https://")
        return url

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        if not url:
            return url
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be like https://tocsin.example.org, without ? or #")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _two_ports(self) -> Settings:
        if self.port == self.prefect_port:
            raise ValueError("TOCSIN_PORT and TOCSIN_PREFECT_PORT are the same: give each a port of its own")
        return self

    @cached_property
    def database(self) -> str:
        """SQLAlchemy URL of the database, with its driver; may hold a password, so it is never logged."""
        return self.database_url or f"sqlite+pysqlite:///{self.home / 'tocsin.db'}"

    @cached_property
    def is_sqlite(self) -> bool:
        """Whether the truth is in a file of this machine."""
        return self.database.startswith("sqlite")

    @cached_property
    def local_url(self) -> str:
        """Address of the web process as seen from this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @cached_property
    def links_url(self) -> str:
        """What the links in messages begin with, without a slash at the end."""
        return self.public_url or f"http://127.0.0.1:{self.port}"

    @property
    def roster_file(self) -> Path:
        """People, roles, backups."""
        return self.home / "roster.yaml"

    @property
    def channels_file(self) -> Path:
        """Apprise configuration: how each person and role is reached."""
        return self.home / "channels.yaml"

    @property
    def playbooks_dir(self) -> Path:
        """Playbooks of this installation; one with the id of a shipped one replaces it."""
        return self.home / "playbooks"

    @property
    def calendars_dir(self) -> Path:
        """The last good copies of the roles' calendars."""
        return self.home / "calendars"

    @property
    def logs_dir(self) -> Path:
        """One log file for each child process."""
        return self.home / "logs"

    @property
    def run_dir(self) -> Path:
        """Heartbeats, the lock of `up`, state.json: nothing that outlives the processes."""
        return self.home / "run"

    @property
    def prefect_dir(self) -> Path:
        """The embedded Prefect server's own files, apart from ours."""
        return self.home / "prefect"

    @property
    def secret_file(self) -> Path:
        """Key that signs the links in messages."""
        return self.home / "secret.key"

    def secret_key(self) -> str:
        """The signing key, made on first use, readable by its owner only.

        Raises:
            SettingsError: the file cannot be read or written, or does not hold a key.

        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            if not self.secret_file.exists():
                _write_once(self.secret_file, secrets.token_hex(_KEY_BYTES))
            key = self.secret_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise SettingsError(
                f"cannot use the signing key {self.secret_file}: {reason}; let this user read and write it"
            ) from None
        if len(key) < _KEY_LENGTH:
            raise SettingsError(
                f"{self.secret_file} does not hold a signing key: remove it to get a new one (links sent so far die)"
            )
        return key


def load_settings(**values: object) -> Settings:
    """Settings from arguments, then from the environment. An argument that is None is not an argument.

    Raises:
        SettingsError: with one line that names the first wrong setting and says what would be right.

    """
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(_one_line(error, given)) from None


def _one_line(error: ValidationError, given: Mapping[str, object]) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    reason = first["msg"].removeprefix("Value error, ")
    field = str(first["loc"][0]) if first["loc"] else ""
    if not field:
        return reason
    name = field if field in given else f"{PREFIX}{field.upper()}"
    return f"{name}: {reason[0].lower()}{reason[1:]}"


def _absolute_file(rest: str) -> str:
    """What follows `sqlite://`, its file made absolute: the children of `up` work in another folder."""
    name, question, query = rest.removeprefix("/").partition("?")
    if not rest.startswith("/") or not name:
        raise ValueError("must name a file: sqlite:///relative.db or sqlite:////absolute/path.db")
    return f"/{os.path.abspath(name)}{question}{query}"  # noqa: PTH100  (as for home)


def _write_once(path: Path, text: str) -> None:
    """Write a private file that must not exist yet; if another process is quicker, its content stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # link() either puts the whole file in place or fails: no reader ever sees half a key.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
