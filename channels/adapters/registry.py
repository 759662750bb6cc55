"""Which adapter serves which scheme.

To add a channel: one file in this folder, one line below, one test on the wire.
"""

from channels.adapters.base import Adapter
from channels.adapters.email import Email
from channels.adapters.form import FormPost
from channels.adapters.generic import Generic
from channels.adapters.json_post import JsonPost
from channels.adapters.ntfy import Ntfy

GENERIC = Generic()
ADAPTERS: dict[str, Adapter] = {
    **dict.fromkeys(("json", "jsons"), JsonPost()),
    **dict.fromkeys(("form", "forms"), FormPost()),
    **dict.fromkeys(("mailto", "mailtos"), Email()),
    **dict.fromkeys(("ntfy", "ntfys"), Ntfy()),
}


def adapter_for(schema: str) -> Adapter:
    """The adapter of a scheme, or the one for all that have none of their own."""
    return ADAPTERS.get(schema.lower(), GENERIC)
