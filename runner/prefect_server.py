"""`python -m runner.prefect_server`: Prefect's own command line, with write transactions for its SQLite.

Prefect begins a transaction that reads and then writes without saying that it will write. Where another one
commits in between, SQLite refuses the write at once, the server answers 503, and its client waits two
seconds (docs/adr/0008). Here every transaction says at its beginning that it will write, and waits its turn
for some milliseconds instead.
"""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager
from typing import Any

from prefect.cli import app
from prefect.server.database import configurations

log = logging.getLogger("tocsin.prefect")


def begin_immediate_transactions() -> bool:
    """Begin each transaction of Prefect's server as a writing one; False where Prefect has changed its code."""
    kind: Any = getattr(configurations, "AioSqliteConfiguration", None)
    original = getattr(kind, "begin_transaction", None)
    if original is None or "with_for_update" not in original.__wrapped__.__code__.co_varnames:
        return False

    def begin(self: Any, session: Any, with_for_update: bool = True) -> AbstractAsyncContextManager[Any]:  # noqa: ARG001, FBT001, FBT002
        return original(self, session, with_for_update=True)  # type: ignore[no-any-return]

    kind.begin_transaction = begin
    return True


if __name__ == "__main__":
    if not begin_immediate_transactions():
        log.warning("this Prefect begins its transactions in a way unknown to us: expect slow runs on SQLite")
    app()
