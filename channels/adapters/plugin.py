"""Base of our own Apprise plugins: Apprise's base class, whose annotations contradict its own plugins."""

from typing import Any

import requests
from apprise.plugins.base import NotifyBase

from channels import transport

_Base: Any = NotifyBase


class OwnPlugin(_Base):  # type: ignore[misc]
    """Plugin for a scheme that Apprise lacks; it sends through the shared transport."""

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        """One request with the time-outs and the certificate check of the configuration, redirects not followed."""
        return transport.request(
            method,
            url,
            headers={"User-Agent": self.app_id},
            timeout=self.request_timeout,
            verify=self.verify_certificate,
            allow_redirects=False,
            **options,
        )
