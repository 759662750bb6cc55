"""Documents, each kept whole, by language, under an id that names its subject (`weekly-review/2026-W47`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, insert, select, update

from domain.text import Text
from storage.learning.learning_tables import DocumentRow

DOCUMENT = DocumentRow.__table__  # type: ignore[attr-defined]
MOST = 500


@dataclass(frozen=True, slots=True)
class Document:
    """One document, in every language of its readers.

    Attributes:
        id: its subject: `monthly-report/2026-10`, `retrospective/INC-4`. Made again, it replaces itself.
        kind: the part before the slash; lists go by it.
        about: the reference of the case that it is about; empty for a span of time.
        version: how often it was made; counted here.
        pages: language -> a self-contained HTML page.
        texts: language -> the same as Markdown, for messages and for further editing.
        data: the figures in it, JSON-able.
    """

    id: str
    title: Text
    made_at: DateTime
    about: str = ""
    from_at: DateTime | None = None
    to_at: DateTime | None = None
    version: int = 1
    pages: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The document's kind."""
        return self.id.partition("/")[0]


def save_document(connection: Connection, document: Document) -> int:
    """Save a document in the place of an earlier one of that id; return its version."""
    version = connection.execute(select(DOCUMENT.c.version).where(DOCUMENT.c.id == document.id)).scalar_one_or_none()
    made = (version or 0) + 1
    values = {
        "kind": document.kind, "about": document.about, "title": {"en": document.title.en, "zh": document.title.zh},
        "made_at": document.made_at, "from_at": document.from_at, "to_at": document.to_at,
        "version": made, "pages": dict(document.pages), "texts": dict(document.texts),
        "data": dict(document.data),
    }  # fmt: skip
    if version is None:
        connection.execute(insert(DOCUMENT).values(id=document.id, **values))
    else:
        connection.execute(update(DOCUMENT).where(DOCUMENT.c.id == document.id).values(**values))
    return made


def load_document(connection: Connection, document_id: str) -> Document | None:
    """Load the document of that id, as it was last made."""
    row = connection.execute(select(DOCUMENT).where(DOCUMENT.c.id == document_id)).one_or_none()
    return _document(row) if row is not None else None


def list_documents(connection: Connection, *, kind: str = "", about: str = "", limit: int = 50) -> list[Document]:
    """List the newest documents first, of a kind or about a case, without their bodies."""
    columns = [column for column in DOCUMENT.c if column.name not in ("pages", "texts", "data")]
    query = select(*columns).order_by(DOCUMENT.c.made_at.desc(), DOCUMENT.c.id).limit(max(1, min(limit, MOST)))
    if kind:
        query = query.where(DOCUMENT.c.kind == kind)
    if about:
        query = query.where(DOCUMENT.c.about == about)
    return [_document(row) for row in connection.execute(query)]


def documents_between(connection: Connection, kind: str, start: DateTime, end: DateTime) -> list[Document]:
    """List the documents of a kind for times that began in [start, end), the oldest first, with their figures."""
    columns = [column for column in DOCUMENT.c if column.name not in ("pages", "texts")]
    mine = (DOCUMENT.c.kind == kind, DOCUMENT.c.from_at >= start, DOCUMENT.c.from_at < end)
    return [_document(row) for row in connection.execute(select(*columns).where(*mine).order_by(DOCUMENT.c.from_at))]


def _document(row: Row[Any]) -> Document:
    found = row._asdict()
    title = found.pop("title")
    del found["kind"]
    return Document(title=Text(title.get("en", ""), title.get("zh", "")), **found)
