"""History of volumes by slot, read once and then kept up to date.

Five weeks are not read at every report.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pendulum import DateTime

from domain.health.forecast import VolumeHistory
from storage.samples.health_queries import list_series_labels
from storage.samples.rollups import read_history
from storage.samples.sample_store import SampleStore, from_micros, to_micros

LOOK_BACK: Final = timedelta(days=35)  # what a forecast of four same hours is made of
_SECOND: Final = 1_000_000
_AGAIN: Final = 7200  # seconds of the past that are read again: late figures come into their own time
_WHOLE: Final = 3600  # and everything, so often: pushed history may be of any time
_SOON: Final = 60  # while there is too little of it: it is being pushed just now
_LEAST: Final = 14 * 86_400
_KEPT: Final = 32  # histories, built; the least recently used goes

Key = tuple[str, str]  # lane, metric


@dataclass
class _Read:
    """What was read of a metric: volume by slot and series, how far, and when everything was (seconds of the epoch)."""

    slot: int
    upto: int
    whole: int
    volumes: dict[int, dict[int, float]] = field(default_factory=dict)
    services: Mapping[int, str] = field(default_factory=dict)

    @property
    def patience(self) -> int:
        """For how many seconds it holds as a whole."""
        first = min((min(volumes) for volumes in self.volumes.values() if volumes), default=self.upto)
        return _WHOLE if self.upto - first >= _LEAST else _SOON


class VolumeCache:
    """Cache of volume histories, as they were when a slot was over. Threads may share one."""

    def __init__(self, figures: SampleStore) -> None:
        self._figures = figures
        self._reads: dict[Key, _Read] = {}
        self._built: dict[tuple[object, ...], VolumeHistory] = {}
        self._lock = threading.Lock()

    def history(
        self, feed: str, metric: str, at: DateTime, slot: timedelta, zone: str, holidays: Collection[str], service: str
    ) -> VolumeHistory:
        """The volumes of the slots that were over at `at`. `service`: of that one; empty: of all."""
        seconds = int(slot.total_seconds())
        with self._lock:
            read = self._up_to_date((feed, metric), seconds, to_micros(at) // _SECOND)
            upto = read.upto
            name = (feed, metric, upto, read.whole, seconds, zone, frozenset(holidays), service)
            if name in self._built:
                return self._built[name]
            found: dict[int, float] = {}
            for series, volumes in read.volumes.items():
                if not service or read.services.get(series) == service:
                    for start, volume in volumes.items():
                        if start < upto:
                            found[start] = found.get(start, 0.0) + volume
            while len(self._built) >= _KEPT:
                del self._built[next(iter(self._built))]
            self._built[name] = VolumeHistory(found, seconds, zone, holidays)
            return self._built[name]

    def _up_to_date(self, key: Key, slot: int, now: int) -> _Read:
        upto = now // slot * slot
        read = self._reads.get(key)
        if read is None or read.slot != slot or upto < read.upto or now - read.whole >= read.patience:
            read = _Read(slot, 0, now)
            begin = upto - int(LOOK_BACK.total_seconds()) // slot * slot + slot
        elif upto == read.upto:
            return read
        else:
            begin = read.upto - _AGAIN // slot * slot
        start, end = from_micros(begin * _SECOND), from_micros(upto * _SECOND)
        for row in read_history(self._figures, *key, start, end, timedelta(seconds=slot)):
            read.volumes.setdefault(row.series, {})[begin + row.bucket * slot] = row.total
        read.services = {
            number: labels.get("service", "") for number, labels in list_series_labels(self._figures, *key).items()
        }
        read.upto = upto
        self._reads = {**{name: one for name, one in self._reads.items() if name != key}, key: read}
        while len(self._reads) > _KEPT:
            del self._reads[next(iter(self._reads))]
        return read
