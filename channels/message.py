"""Message to send, before it is shaped for any service."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One message for one recipient on one channel, already in the recipient's language.

    Attributes:
        title: One line of plain text; empty for a publication.
        body: Plain text or markdown. A publication's body goes out byte for byte.
        drill: The delivery layer puts the drill mark in front, of a publication too.
        possible_duplicate: An earlier attempt may have arrived; marked in front of the title. Never on a
            publication.
        language: Language of the marks: `en` or `zh_CN`.
        urgent: Asks for the service's highest priority, where it has one.
        public: A publication: exact text, empty title, never shortened, no marks except the drill's.
        key: The outbox key; goes along as an id or a header wherever the service takes one.
        link: A URL that survives any shortening; added on a line of its own if the body does not hold it.
            Not for publications: their text is complete.
    """

    title: str
    body: str
    drill: bool = False
    possible_duplicate: bool = False
    language: str = "en"
    urgent: bool = False
    public: bool = False
    key: str = ""
    link: str | None = None
