"""Channel directory: all channels of an installation by id, and the one way to send on them."""

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
from channels.config import LoadedService, read_services, tags_of
from channels.errors import ChannelConfigError
from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from channels.rate_limits import RateLimit, RateLimiter
from channels.redaction import install_secret_filters, redactor
from channels.rendering import MessageLimits, fits_limits, render, utf8_size, utf16_size
from channels.secret_references import SecretReferences

__all__ = ["ChannelConfigError", "ChannelDirectory", "ServiceInfo"]

_warm_lock = threading.Lock()


@dataclass(frozen=True)
class ServiceInfo:
    """Public description of one channel, without its address.

    Attributes:
        id: `alice`, or `alice#2` for the second service under the tag.
        tag: The tag, lower case as Apprise keeps it.
        schema: Apprise's scheme, such as `mailto`.
        waking: An urgent message on it wakes a sleeping person.
        limit_bytes: The longest text in UTF-8 bytes.
        verified: Its yes and no are read by an adapter of its own; otherwise the best outcome is
            `unverified`.
        sandbox: Declared `sandbox: true`: a drill may publish to it.
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
    limits: MessageLimits
    rate: RateLimit | None


@dataclass(frozen=True, repr=False)
class ChannelOutlet:
    """Apprise object of one channel, the adapter that sends by it, and the limits of its messages."""

    service: NotifyBase
    adapter: Adapter
    limits: MessageLimits


class ChannelDirectory:
    """The channels of one configuration file; immutable, and used by any number of threads at once.

    A changed file is a new directory: load it, and keep the old one in force if that raises.
    """

    def __init__(self, services: list[LoadedService], rates: RateLimiter | None = None) -> None:
        """Give each service of each tag its id, in order of Apprise's priority, then of the file.

        `rates`: the rate limiter, shared with other directories; without it this directory keeps its own.
        """
        warm_up()
        self._rates = rates or RateLimiter()
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
        cls, path: Path, *, rates: RateLimiter | None = None, secrets: SecretReferences | None = None, homes: int = 1
    ) -> "ChannelDirectory":
        """Read an Apprise configuration: YAML if its name ends in .yaml or .yml, else Apprise's text format.

        Args:
            path: The file.
            rates: As the constructor takes it; a changed file goes on with the limiter of the last one.
            homes: Number of homes that send to the same services: each keeps to its share of every rate.
            secrets: Resolves references; default: environment and Prefect's Secret blocks.

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
        """Channels of a tag, first choice first; empty for an unknown tag."""
        return tuple(channel.info for channel in self._by_tag.get(tag.lower(), ()))

    def info(self, channel_id: str) -> ServiceInfo | None:
        """Description of one channel, or None for an unknown id."""
        channel = self._by_id.get(channel_id.lower())
        return channel.info if channel else None

    def warm_up(self) -> None:
        """Load all plugins (about a second, once a process); loading a directory has done it."""
        warm_up()

    def fits(self, channel_id: str, text: str, *, drill: bool = False) -> bool:
        """Whether a publication of `text` fits the channel without shortening.

        Raises:
            KeyError: There is no such channel.
        """
        return fits_limits(text, self._by_id[channel_id.lower()].limits, drill=drill)

    def is_loopback_sandbox(self, channel_id: str) -> bool:
        """Whether the channel leads to this very machine, so that it reaches nobody outside.

        Raises:
            KeyError: There is no such channel.
        """
        service = self._by_id[channel_id.lower()].service
        return transport.is_loopback(str(getattr(service, "smtp_host", "") or service.host or ""))

    def inbox_box(self, channel_id: str, port: int) -> str | None:
        """Box of the built-in inbox on `port` that the channel leads to; None if it leads elsewhere.

        Raises:
            KeyError: There is no such channel.
        """
        service = self._by_id[channel_id.lower()].service
        path = str(getattr(service, "fullpath", "") or "").strip("/")
        if not self.is_loopback_sandbox(channel_id) or service.port != port or not path.startswith("inbox/"):
            return None
        return path.removeprefix("inbox/")

    def outlet(self, channel_id: str) -> "ChannelOutlet | None":
        """Sending parts of a channel, for a caller that puts its own recipient into the address; None: unknown id.

        It holds secrets: `vars` of its service are never shown, and a copy is changed, not the service itself.
        """
        channel = self._by_id.get(channel_id.lower())
        return ChannelOutlet(channel.service, channel.adapter, channel.limits) if channel else None

    def send(self, tag: str, message: Message) -> SendOutcome:
        """Send one message on one channel, once, and return the outcome; a failing service never raises.

        Takes as long as the service does, up to `SEND_SECONDS`. Nothing is ever repeated here.
        """
        channel = self._by_id.get(tag.lower())
        if channel is None:
            return SendOutcome(SendVerdict.REFUSED, detail=f"no channel `{tag}`: add it to the channel file")
        refusal = _unsendable(message, channel)
        if refusal is not None:
            return refusal
        if channel.rate is not None:
            seconds = self._rates.reserve(channel.rate, message.key or uuid.uuid4().hex, urgent=message.urgent)
            if seconds:
                detail = f"held back: it takes {channel.rate.count} messages in {channel.rate.seconds:g} s"
                return SendOutcome(SendVerdict.FAILED, detail=detail, retry_after=seconds, begun=False)
        outcome = channel.adapter.send(channel.service, message, render(message, channel.limits))
        if channel.rate is not None and outcome.verdict is SendVerdict.FAILED and outcome.retry_after:
            self._rates.pause(channel.rate, outcome.retry_after)
        if message.public and outcome.verdict in {SendVerdict.SENT, SendVerdict.UNVERIFIED} and outcome.receipt is None:
            # Taken, but there is nothing to show for it: a person looks whether it is really out.
            outcome = SendOutcome(SendVerdict.UNKNOWN, detail=f"{outcome.detail}; no id or URL came back")
        if outcome.verdict in {SendVerdict.SENT, SendVerdict.UNVERIFIED}:
            return outcome
        # What a service says is wrong may repeat its address to us.
        return dataclasses.replace(outcome, detail=redactor.clean(outcome.detail))


def warm_up() -> None:
    """Load Apprise's plugins, route them through our transport, filter the logs; idempotent."""
    with _warm_lock:
        install_secret_filters()
        NotificationManager().load_modules()  # type: ignore[no-untyped-call]
        register_own_plugins()
        install_secret_filters()
        transport.install_facade()


def _unsendable(message: Message, channel: _Channel) -> SendOutcome | None:
    """Why nothing may be sent at all, if so."""
    if not message.body.strip() and not message.title.strip():
        return SendOutcome(SendVerdict.REFUSED, detail="the message is empty")
    objection = channel.adapter.objection(message)
    if objection is not None:
        return SendOutcome(SendVerdict.REFUSED, detail=objection)
    return _unpublishable(message, channel) if message.public else None


def _unpublishable(message: Message, channel: _Channel) -> SendOutcome | None:
    """Why a publication may not be sent, if so."""
    if message.title:
        return SendOutcome(SendVerdict.REFUSED, detail="a publication has no title: its text is all that is approved")
    try:
        message.body.encode()
    except UnicodeEncodeError:
        return SendOutcome(
            SendVerdict.REFUSED, detail="the text holds half a character (a lone surrogate): type it again"
        )
    if fits_limits(message.body, channel.limits, drill=message.drill):
        return None
    return SendOutcome(SendVerdict.REFUSED, detail=f"too long for the channel: {_excess(message, channel.limits)}")


def _excess(message: Message, limits: MessageLimits) -> str:
    if limits.characters and utf16_size(message.body) > limits.characters:
        return f"{utf16_size(message.body)} characters, {limits.characters} fit; shorten the draft"
    return f"{utf8_size(message.body)} bytes, {limits.body_bytes} fit; shorten the draft"


def _rates_beside(path: Path, homes: int) -> RateLimiter | None:
    """Books that all senders of an installation share, where the file lies in the home of one."""
    run = path.resolve().parent / "run"
    return RateLimiter(run / "rates", homes=homes) if run.is_dir() else None


def _channel(channel_id: str, tag: str, loaded: LoadedService) -> _Channel:
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
