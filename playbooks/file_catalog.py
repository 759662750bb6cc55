"""Catalogue of files, one item each: a later folder wins by id, a broken file keeps its last good version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from playbooks.errors import FileFinding
from playbooks.watched_file import WatchedFile

T = TypeVar("T")
FILE_SUFFIXES = frozenset({".yaml", ".yml"})


class FileCatalog(Generic[T]):
    """The things in force of some folders. Not for several threads at once: its owner holds a lock."""

    def __init__(self, folders: Sequence[Path], read: Callable[[Path], T], name_of: Callable[[T], str]) -> None:
        self._folders = tuple(folders)
        self._read = read
        self._name_of = name_of
        self._files: dict[Path, WatchedFile[T]] = {}
        self.things: Mapping[str, T] = {}
        self.findings: Sequence[FileFinding] = ()

    def refresh(self, *, anew: bool = False) -> None:
        """Read the files that changed since the last refresh; `anew`: all of them."""
        things: dict[str, T] = {}
        findings: list[FileFinding] = []
        kept: dict[Path, WatchedFile[T]] = {}
        for folder in self._folders:
            holder: dict[str, Path] = {}
            for path in self._listing(folder, findings):
                watched = kept[path] = self._files.get(path) or WatchedFile(path, self._read)
                watched.refresh(anew=anew)
                findings.extend(watched.findings)
                if watched.value is None:
                    continue
                name = self._name_of(watched.value)
                if name in holder:
                    findings.append(_twice(path, name, holder[name]))
                    continue
                holder[name] = path
                things[name] = watched.value
        self._files, self.things, self.findings = kept, things, findings

    def _listing(self, folder: Path, findings: list[FileFinding]) -> list[Path]:
        """List the folder's files by name; a folder that cannot be read keeps its last listing."""
        try:
            names = sorted(folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            why = error.strerror or type(error).__name__
            findings.append(FileFinding(str(folder), None, "folder", f"cannot be read: {why}", "check its permissions"))
            return sorted(path for path in self._files if path.parent == folder)
        return [path for path in names if path.suffix in FILE_SUFFIXES and not path.name.startswith(".")]


def _twice(path: Path, name: str, other: Path) -> FileFinding:
    return FileFinding(str(path), None, "id", f"{name} is also the id of {other.name}", "give each its own id")
