"""Tables of reviews: reviewed periods, retrospectives, and the daily shares that no rollup keeps."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.columns import json_field, time_field


class ReviewRunRow(SQLModel, table=True):
    """A reviewed period: its row is the claim, written with its results, in one transaction."""

    __tablename__ = "review_run"
    kind: str = Field(primary_key=True, max_length=40)
    period: str = Field(primary_key=True, max_length=20)
    ends_at: datetime = time_field(nullable=False, index=True)
    made_at: datetime = time_field(nullable=False)
    late: bool = False  # a newer period was over already when it was made: it had been missed
    document: str = ""  # id of the document; empty: none was wanted
    matter: str = ""  # reference of the review that carries it to its owner
    trouble: str = ""  # why nobody was called for it


class RetrospectiveRow(SQLModel, table=True):
    """The retrospective of a case: what people wrote into it, and until when its effects are traced."""

    __tablename__ = "retrospective"
    incident_id: str = Field(primary_key=True, max_length=64)
    made_at: datetime = time_field(nullable=False)
    over_at: datetime | None = time_field()  # when the matter was over, as the document says
    matter: str = ""  # reference of the review; empty: the matter's own playbook holds it
    words: dict[str, str] = json_field()  # section -> text
    next_at: datetime | None = time_field(index=True)  # when it is made anew with the effects; None: they are traced


class DayFigureRow(SQLModel, table=True):
    """Events of a day and metric, and the good ones among them. Rollups do not keep shares."""

    __tablename__ = "day_figure"
    day: str = Field(primary_key=True, max_length=10)  # in the zone of the installation
    metric: str = Field(primary_key=True, max_length=80)
    events: float
    good: float
    at: datetime = time_field(nullable=False)
