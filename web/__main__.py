"""`python -m web`: the web process. Prints one line on stderr when it cannot start."""

from __future__ import annotations

import logging
import sys
from typing import Any

from engine.process.heartbeat import Heartbeat
from storage.settings import SettingsError, load_settings


def main() -> int:
    """Serve until the process is told to end."""
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    Heartbeat(settings.home, "web").start()  # before the heavy imports: they take longer than a beat may be late
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    import uvicorn  # noqa: PLC0415

    from engine.installation import Installation  # noqa: PLC0415
    from storage.database import StorageError  # noqa: PLC0415
    from web.app import create_app  # noqa: PLC0415
    from web.pages.status_fallback import create_fallback_app, is_outage, serve_until_database_answers  # noqa: PLC0415

    serving: dict[str, Any] = {
        "host": settings.host, "port": settings.port, "access_log": False, "log_level": "warning",
        "proxy_headers": False, "server_header": False, "timeout_graceful_shutdown": 2, "timeout_keep_alive": 75,
        "backlog": 2048,
    }  # fmt: skip
    installation = Installation(settings, sends=False)
    try:
        try:
            app = create_app(installation.open())
        except StorageError as error:
            if not is_outage(error):
                raise
            serve_until_database_answers(installation, uvicorn.Config(create_fallback_app(installation), **serving))
            app = create_app(installation.open())
    except (StorageError, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    uvicorn.run(app, **serving)
    return 0


if __name__ == "__main__":
    sys.exit(main())
