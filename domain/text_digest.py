"""Publication texts as rendered for each official channel, and the hash that an approval is bound to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from domain.incident import Snapshot, StepState
from domain.playbook import StepKind, full_step_id
from domain.roster import PublicChannel

MAX_TEXT_LENGTH = 20_000  # characters of a draft; what no platform would take and no reader would read


class UnpublishableText(ValueError):
    """A text cannot be published as it is; the message says which channel and what would be right."""


def publication_channels(snapshot: Snapshot, draft: StepState) -> list[PublicChannel]:
    """List the official channels of a draft: of every publish step that names it."""
    wanted: dict[str, PublicChannel] = {}
    whole = f"{draft.stage}/{draft.step}"
    for stage, step in snapshot.response.playbook.each_step():
        if step.kind is StepKind.PUBLISH and full_step_id(stage.id, step.of or "") == whole:
            for channel in step.channels or tuple(snapshot.roster.public):
                if channel in snapshot.roster.public:
                    wanted[channel] = snapshot.roster.public[channel]
    return list(wanted.values())


def render_for_channels(texts: Mapping[str, str], channels: list[PublicChannel]) -> dict[str, str]:
    """Map each channel id to the exact text that would be posted there.

    `texts` maps `en`, `zh_CN`, or a channel's own id (for a platform that wants its own wording) to a text.
    A draft that is not published anywhere is rendered by language.

    Raises:
        Unfit: a language is missing, or a text is longer than its channel takes. Nothing is ever cut.
    """
    if not any(text.strip() for text in texts.values()):
        raise UnpublishableText("the text is empty; write it in the language of each channel")
    for name, text in texts.items():
        if len(text) > MAX_TEXT_LENGTH:
            raise UnpublishableText(f"the text for {name} has {len(text)} characters; at most {MAX_TEXT_LENGTH}")
    if not channels:
        return {language: text.strip() for language, text in texts.items() if text.strip()}
    rendered = {}
    for channel in channels:
        text = (texts.get(channel.id) or texts.get(channel.language) or "").strip()
        if not text:
            raise UnpublishableText(
                f"channel {channel.id} speaks {channel.language}: give a text for {channel.language}"
            )
        if channel.limit is not None and len(text) > channel.limit:
            raise UnpublishableText(
                f"channel {channel.id} takes {channel.limit} characters and the text has {len(text)}: "
                f"give a shorter one for {channel.id}"
            )
        rendered[channel.id] = text
    return rendered


def compute_digest(rendered: Mapping[str, str]) -> str:
    """Compute the SHA-256 over every channel and its exact text: what an approval is bound to."""
    canonical = json.dumps(dict(sorted(rendered.items())), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
