"""All channels of an installation, by id: the one object through which anything is sent."""

import dataclasses
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase

from channels import transport
from channels.adapters.base import Adapter
from channels.adapters.registry import adapter_for, register_own_plugins
from channels.config import Loaded, read_services, tags_of
from channels.errors import ChannelConfigError
from channels.message import Message
from channels.outcome import Outcome, Verdict
from channels.rates import Rate, Rates
from channels.redaction import guard_logs, redactor
from channels.rendering import Limits, characters, fits, render, size
from channels.secrets import Secrets

__all__ = ["ChannelConfigError", "ChannelDirectory", "ServiceInfo"]

_warm_lock = threading.Lock()


@dataclass(frozen=True)
class ServiceInfo:
    """What may be known and shown of one channel: nothing of its address.

    Attributes:
        id: `alice`, or `alice#2` for the second service under the tag.
        tag: The tag, lower case as Apprise keeps it.
        schema: Apprise's scheme, such as `mailto`.
        waking: An urgent message on it wakes a sleeping person.
        limit_bytes: The longest text in UTF-8 bytes.
        verified: Its yes and no are read by an adapter of its own; otherwise the best outcome is
        `unverified`. sandbox: Declared `sandbox: true`: a drill may publish to it.
    """

    id: str
    tag: str
    schema: str
    waking: bool
    limit_bytes: int
    verified: bool
    sandbox: bool


@dataclass(frozen=True, repr=False)
class _Channel:
    """One id's cached Apprise object with its adapter; holds secrets, shows none."""

    info: ServiceInfo
    service: NotifyBase
    adapter: Adapter
    limits: Limits
    rate: Rate | None


@dataclass(frozen=True, repr=False)
class Outlet:
    """Apprise's object of one channel, the adapter that sends by it, and what a message on it may be."""

    service: NotifyBase
    adapter: Adapter
    limits: Limits


class ChannelDirectory:
    """The channels of one configuration file; immutable, and used by any number of threads at once.

    A changed file is a new directory: load it, and keep the old one in force if that raises.
    """

    def __init__(self, services: list[Loaded], rates: Rates | None = None) -> None:
        """Give each service of each tag its id: in order of Apprise's priority, then of the file.

        `rates`: the books of what each service takes in which time; without, this directory keeps its own.
        """
        warm_up()
        self._rates = rates or Rates()
        ranked = [(priority, i, tag) for i, loaded in enumerate(services) for priority, tag in tags_of(loaded.service)]
        by_tag: dict[str, list[_Channel]] = {}
        for _, index, tag in sorted(ranked):
            channels = by_tag.setdefault(tag, [])
            channel_id = tag if not channels else f"{tag}#{len(channels) + 1}"
            channels.append(_channel(channel_id, tag, services[index]))
        self._by_tag = {tag: tuple(channels) for tag, channels in by_tag.items()}
        self._by_id = {channel.info.id: channel for channels in self._by_tag.values() for channel in channels}

    @classmethod
    def load(
        cls, path: Path, *, rates: Rates | None = None, secrets: Secrets | None = None, homes: int = 1
    ) -> "ChannelDirectory":
        """Read an Apprise configuration: YAML if its name ends in .yaml or .yml, else Apprise's text format.

        Args:
            path: The file.
            rates: As the constructor takes it; a changed file goes on with the books of the last one.
            homes: So many homes send to the same services: each keeps to its share of every rate.
            secrets: Where its references lead: environment and Prefect's Secret blocks, unless others are given.

        Raises:
            ChannelConfigError: Naming file, line, reason and what would be right; never quoting the file.
        """
        warm_up()
        return cls(read_services(path, secrets=secrets), rates or _rates_beside(path, homes))

    def __repr__(self) -> str:
        """Count only: addresses are secrets."""
        return f"<ChannelDirectory of {len(self._by_id)} channels>"

    def tags(self) -> frozenset[str]:
        """Each tag that reaches at least one service."""
        return frozenset(self._by_tag)

    def ids(self) -> tuple[str, ...]:
        """One id per service of each tag: `alice`, `alice#2`, `bob`."""
        return tuple(self._by_id)

    def services(self, tag: str) -> tuple[ServiceInfo, ...]:
        """What a tag reaches, first choice first; empty for an unknown tag."""
        return tuple(channel.info for channel in self._by_tag.get(tag.lower(), ()))

    def info(self, channel_id: str) -> ServiceInfo | None:
        """What is known of one channel, or None if there is no such id."""
        channel = self._by_id.get(channel_id.lower())
        return channel.info if channel else None

    def warm_up(self) -> None:
        """Have all plugins loaded (about a second, once a process); loading a directory has done it."""
        warm_up()

    def fits(self, channel_id: str, text: str, *, drill: bool = False) -> bool:
        """Whether a publication of `text` goes through the channel whole.

        Raises:
            KeyError: There is no such channel.
        """
        return fits(text, self._by_id[channel_id.lower()].limits, drill=drill)

    def is_loopback_sandbox(self, channel_id: str) -> bool:
        """Whether the channel leads to this very machine, so that nobody outside can be reached by it.

        Raises:
            KeyError: There is no such channel.
        """
        service = self._by_id[channel_id.lower()].service
        return transport.is_loopback(str(getattr(service, "smtp_host", "") or service.host or ""))

    def inbox_box(self, channel_id: str, port: int) -> str | None:
        """The box of the built-in inbox on `port` that the channel leads to; None if it leads elsewhere.

        Raises:
            KeyError: There is no such channel.
        """
        service = self._by_id[channel_id.lower()].service
        path = str(getattr(service, "fullpath", "") or "").strip("/")
        if not self.is_loopback_sandbox(channel_id) or service.port != port or not path.startswith("inbox/"):
            return None
        return path.removeprefix("inbox/")

    def outlet(self, channel_id: str) -> "Outlet | None":
        """What a channel sends by, for whoever puts a recipient of their own into its address; None: no such id.

        It holds secrets: `vars` of its service are never shown, and a copy is changed, not the service itself.
        """
        channel = self._by_id.get(channel_id.lower())
        return Outlet(channel.service, channel.adapter, channel.limits) if channel else None

    def send(self, tag: str, message: Message) -> Outcome:
        """Send one message on one channel, once, and say what became of it; what a service does never raises.

        Takes as long as the service does, up to `SEND_SECONDS`. Nothing is ever repeated here.
        """
        channel = self._by_id.get(tag.lower())
        if channel is None:
            return Outcome(Verdict.REFUSED, detail=f"no channel `{tag}`: add it to the channel file")
        refusal = _unsendable(message, channel)
        if refusal is not None:
            return refusal
        if channel.rate is not None:
            seconds = self._rates.ask(channel.rate, message.key or uuid.uuid4().hex, urgent=message.urgent)
            if seconds:
                detail = f"held back: it takes {channel.rate.count} messages in {channel.rate.seconds:g} s"
                return Outcome(Verdict.FAILED, detail=detail, retry_after=seconds, begun=False)
        outcome = channel.adapter.send(channel.service, message, render(message, channel.limits))
        if channel.rate is not None and outcome.verdict is Verdict.FAILED and outcome.retry_after:
            self._rates.close(channel.rate, outcome.retry_after)
        if message.public and outcome.verdict in {Verdict.SENT, Verdict.UNVERIFIED} and outcome.receipt is None:
            # Taken, but there is nothing to show for it: a person looks whether it is really out.
            outcome = Outcome(Verdict.UNKNOWN, detail=f"{outcome.detail}; no id or URL came back")
        if outcome.verdict in {Verdict.SENT, Verdict.UNVERIFIED}:
            return outcome
        # What a service says is wrong may repeat its address to us.
        return dataclasses.replace(outcome, detail=redactor.clean(outcome.detail))


def warm_up() -> None:
    """Load Apprise's plugins, route them through our transport, guard the logs; harmless when repeated."""
    with _warm_lock:
        guard_logs()
        NotificationManager().load_modules()  # type: ignore[no-untyped-call]
        register_own_plugins()
        guard_logs()
        transport.install()


def _unsendable(message: Message, channel: _Channel) -> Outcome | None:
    """Why nothing may be sent at all, if so."""
    if not message.body.strip() and not message.title.strip():
        return Outcome(Verdict.REFUSED, detail="the message is empty")
    objection = channel.adapter.objection(message)
    if objection is not None:
        return Outcome(Verdict.REFUSED, detail=objection)
    return _unpublishable(message, channel) if message.public else None


def _unpublishable(message: Message, channel: _Channel) -> Outcome | None:
    """Why a publication may not be sent, if so."""
    if message.title:
        return Outcome(Verdict.REFUSED, detail="a publication has no title: its text is all that is approved")
    try:
        message.body.encode()
    except UnicodeEncodeError:
        return Outcome(Verdict.REFUSED, detail="the text holds half a character (a lone surrogate): type it again")
    if fits(message.body, channel.limits, drill=message.drill):
        return None
    return Outcome(Verdict.REFUSED, detail=f"too long for the channel: {_excess(message, channel.limits)}")


def _excess(message: Message, limits: Limits) -> str:
    if limits.characters and characters(message.body) > limits.characters:
        return f"{characters(message.body)} characters, {limits.characters} fit; shorten the draft"
    return f"{size(message.body)} bytes, {limits.body_bytes} fit; shorten the draft"


def _rates_beside(path: Path, homes: int) -> Rates | None:
    """Books that all senders of an installation share, where the file lies in the home of one."""
    run = path.resolve().parent / "run"
    return Rates(run / "rates", homes=homes) if run.is_dir() else None


def _channel(channel_id: str, tag: str, loaded: Loaded) -> _Channel:
    service = loaded.service
    adapter = adapter_for(service.schema)
    _prepare(service)
    limits = adapter.limits(service)
    info = ServiceInfo(
        id=channel_id,
        tag=tag,
        schema=service.schema,
        waking=adapter.wakes(service),
        limit_bytes=limits.body_bytes,
        verified=adapter.verified,
        sandbox=loaded.sandbox,
    )
    return _Channel(info, service, adapter, limits, adapter.rate(service))


def _prepare(service: NotifyBase) -> None:
    """Take out of an Apprise object what would wait, repeat or cut: time-outs and tries are ours to keep."""
    own = vars(service)
    service.socket_connect_timeout = float(own.get("socket_connect_timeout", transport.CONNECT_SECONDS))
    service.socket_read_timeout = float(own.get("socket_read_timeout", transport.READ_SECONDS))
    service.request_rate_per_sec = 0
    service.throttle = _no_throttle  # type: ignore[method-assign]
    service.retry, service.wait = 0, 0.0


def _no_throttle(*_: object, **__: object) -> None:
    """In the place of Apprise's sleep between calls: the outbox limits rates, and sleeps for nobody."""
