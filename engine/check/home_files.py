"""Check of every file of the home as it is written now, not of the last good version in force."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.check.finding import CheckFindings, failed, passed
from engine.drill.monthly_drill import PLAN
from engine.installation import CATALOG, Installation
from playbooks.drill_file import read_drill_plan
from playbooks.errors import BadFile, FileFinding
from playbooks.followup_file import FollowUpFile
from playbooks.health_file import HealthFile
from playbooks.learning_file import LearningFile
from playbooks.playbook_library import PlaybookLibrary
from playbooks.reviews_file import ReviewsFile
from playbooks.roster_file import find_missing_roles
from playbooks.rulebook import Rulebook
from playbooks.sources_file import SourcesFile
from playbooks.status_file import StatusFile
from playbooks.words_file import WordsFile

_OPTIONAL: dict[str, Callable[[Path], object]] = {
    "followup.yaml": FollowUpFile, "health.yaml": HealthFile, "learning.yaml": LearningFile,
    "reviews.yaml": ReviewsFile, "sources.yaml": SourcesFile,
    "status.yaml": StatusFile, "words.yaml": WordsFile,
}  # fmt: skip


def check_files(installation: Installation) -> CheckFindings:
    """Check playbooks, rules, roster, channels, and the files that may be missing."""
    yield from _house_files(installation)
    yield from _playbooks(installation)
    yield from _rules(installation)
    home = installation.settings.home
    for name, reader in _OPTIONAL.items():
        if (home / name).exists():
            yield from _said(f"file {name}", reader(home / name).findings())  # type: ignore[attr-defined]
    if (home / PLAN).exists():
        try:
            read_drill_plan(home / PLAN)
        except BadFile as wrong:
            yield from _said(f"file {PLAN}", wrong.findings)
        else:
            yield from _said(f"file {PLAN}", ())


def _house_files(installation: Installation) -> CheckFindings:
    found = installation.findings()
    for name in ("roster.yaml", "channels.yaml"):
        mine = [line for line in found if name in line]
        if mine:
            yield failed(f"file {name}", "; ".join(mine[:3]), f"文件有误：{'; '.join(mine[:3])}")
        else:
            yield passed(f"file {name}", "sound", "没有问题")


def _playbooks(installation: Installation) -> CheckFindings:
    library = PlaybookLibrary(CATALOG, installation.settings.playbooks_dir)
    broken = library.findings()
    yield from _said("playbooks", broken)
    try:
        roster = installation.roster()
    except BadFile as wrong:
        yield from _said("file roster.yaml", wrong.findings)
        return
    for playbook in library.all():
        missing = find_missing_roles(playbook, roster)
        if missing:
            yield failed(f"playbook {playbook.id}", str(missing[0]), f"无人可派：{missing[0]}")
        else:
            yield passed(f"playbook {playbook.id}", "loads, and every role is held", "可加载，角色齐全")


def _rules(installation: Installation) -> CheckFindings:
    book = Rulebook(installation.settings.home)
    rules = book.all()
    found = book.findings()
    yield from _said("rules", found)
    if not rules:
        yield failed("rules", "none is in force: no warning will ever come", "没有任何规则生效，不会有预警")


def _said(what: str, findings: object) -> CheckFindings:
    lines = [str(one) for one in findings] if isinstance(findings, list | tuple) else []
    if lines:
        more = f" (+{len(lines) - 1})" if len(lines) > 1 else ""
        yield failed(what, lines[0] + more, f"有误：{lines[0]}{more}")
    else:
        yield passed(what, "sound", "没有问题")


__all__ = ["FileFinding", "check_files"]
