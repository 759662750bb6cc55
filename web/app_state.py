"""Composition root of the web process: what one application is made of, and closes, by name and type."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from fastapi import FastAPI, Request

from engine.accounts.single_sign_on import SingleSignOn
from engine.delivery.links import AcknowledgeLinks
from engine.installation import Installation
from engine.process.clock import now
from engine.warning.monitor_alerts import MonitorAlerts
from playbooks.rulebook import Rulebook
from web.api.health_board import HealthBoardService
from web.api.sample_service import SampleService
from web.auth.audit_writer import AuditWriter
from web.http.declare_batcher import DeclareBatcher
from web.pages.inbox_store import InboxStore
from web.pages.live_updates import LiveUpdates
from web.pages.monthly_history import MonthlyHistory
from web.pages.status_cache import StatusPageCache


@dataclass(frozen=True)
class PublicState:
    """State of an application that shows the public status page, and nothing else while no database answers.

    Attributes:
        installation: what is served.
        writers: threads that carry out commands.
        status: the public status page, kept fresh.
    """

    installation: Installation
    writers: ThreadPoolExecutor
    status: StatusPageCache

    def close(self) -> None:
        """Carry out and refresh nothing any more; a command begun is not waited for."""
        self.writers.shutdown(wait=False, cancel_futures=True)
        self.status.close()


@dataclass(frozen=True)
class AppState(PublicState):
    """State of the whole application.

    Attributes:
        readers: threads that look things up.
        logins: the thread that checks passwords.
        links: signs and reads acknowledge links.
        audit: writer of the audit log.
        declarations: batches what is declared at one moment.
        live: the event streams of live pages.
        months: monthly figures of the history page.
        inbox: messages of the sandbox.
        rulebook: the warning rules in force.
        samples: intake of samples, and their store.
    """

    readers: ThreadPoolExecutor
    logins: ThreadPoolExecutor
    links: AcknowledgeLinks
    audit: AuditWriter
    declarations: DeclareBatcher
    live: LiveUpdates
    months: MonthlyHistory
    inbox: InboxStore
    rulebook: Rulebook
    samples: SampleService

    # Made by the first who asks: most processes of a cluster never are. Asked for on the event loop only, so made once.

    @cached_property
    def health(self) -> HealthBoardService:
        """Health boards, each kept for a few seconds."""
        return HealthBoardService(self.samples, self.rulebook)

    @cached_property
    def single_sign_on(self) -> SingleSignOn:
        """Client of the provider of single sign-on, if the installation has one."""
        return SingleSignOn(self.installation.settings)

    def close(self) -> None:
        """End every thread: commands and samples begun are finished, the audit log is written."""
        self.writers.shutdown(wait=True, cancel_futures=True)
        super().close()
        self.readers.shutdown(wait=False, cancel_futures=True)
        self.logins.shutdown(wait=False, cancel_futures=True)
        self.audit.close()
        self.inbox.close()
        self.samples.close()


def open_public_state(installation: Installation) -> PublicState:
    """Open what the public status page needs."""
    return PublicState(
        installation, ThreadPoolExecutor(1, thread_name_prefix="command"), StatusPageCache(installation, now)
    )


def open_state(installation: Installation) -> AppState:
    """Open the state of an application over an open installation."""
    settings = installation.settings
    # SQLite has one writer: more threads would only wait for its lock instead of in line here.
    writers = ThreadPoolExecutor(2 if installation.database.is_sqlite else 6, thread_name_prefix="command")
    rulebook = Rulebook(settings.home, playbooks=lambda: [playbook.id for playbook in installation.library.all()])
    samples = SampleService(installation, known=lambda: rulebook.metrics().keys())
    samples.handler = MonitorAlerts(installation)
    return AppState(
        installation=installation,
        writers=writers,
        status=StatusPageCache(installation, now),
        readers=ThreadPoolExecutor(4, thread_name_prefix="look"),
        # A password takes a core for a moment, and one at a time is enough: nobody slows the installation by trying.
        logins=ThreadPoolExecutor(1, thread_name_prefix="login"),
        links=AcknowledgeLinks(settings.secret_key(), settings.links_url),
        audit=AuditWriter(installation.database),
        declarations=DeclareBatcher(installation, writers, now),
        live=LiveUpdates(installation),
        months=MonthlyHistory(installation),
        inbox=InboxStore(settings.home / "inbox.db"),
        rulebook=rulebook,
        samples=samples,
    )


def attach_state(app: FastAPI, state: PublicState) -> None:
    """Attach the state to its application: in one slot, read by the two functions below only."""
    app.state.tocsin = state


def state_of(request: Request) -> AppState:
    """Return the state of the application that a request is asked of."""
    state: AppState = request.app.state.tocsin
    return state


def public_state_of(request: Request) -> PublicState:
    """Return the part of the state that is there even while no database answers."""
    state: PublicState = request.app.state.tocsin
    return state
