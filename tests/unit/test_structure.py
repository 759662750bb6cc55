"""Structure of the product: no circle of imports, no room too large, one class a name, no name of old comes back."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("domain", "playbooks", "storage", "channels", "engine", "tasks", "flows", "runner", "web", "cli", "locales")
BESIDE = ("examples", "benchmarks")

# Imports inside functions, or for types only, that close a circle, and why they may.
CIRCLES = {
    ("engine.installation", f"engine.{service}"): "the composition root makes each service at its first use"
    for service in ("customers.service", "learning.service", "review.service", "statuspage.subscribers")
}

# A module is named by a noun of the field; these end as activities do and are nouns all the same.
NOUNS = {
    "finding": "what a check or the health board found",
    "formatting": "of values, as in a formatting of numbers",
    "learning": "the field: what an operation learns of its incidents",
    "meeting": "people in a room",
    "moving": "a moving aggregate, as in moving average",
    "reading": "one reading of a rule's window",
    "rendering": "what a text looks like on a channel or a page",
    "scoring": "the marks of a tabletop",
    "spending": "money that was spent",
    "staffing": "the field: how many agents are needed",
    "warning": "what a rule raises",
    "wording": "the words that a reader gets",
}

# Where modules are that had another name; nothing stands at the former place.
RENAMED = {
    "domain/approval": "domain/text_digest",
    "domain/calling": "domain/escalation",
    "domain/work": "domain/decision_context",
    "engine/asked": "engine/response/validation",
    "engine/children": "engine/process/children",
    "engine/customers/answering": "engine/customers/survey_answers",
    "engine/customers/following": "engine/customers/survey_schedule",
    "engine/customers/scrubbing": "storage/customers/erasure",
    "engine/customers/sending": "engine/customers/survey_delivery",
    "engine/customers/taking": "engine/customers/import_customers",
    "engine/drill/heir": "engine/drill/drill_watchdog",
    "engine/drill/holding": "engine/drill/run_drill",
    "engine/drill/keeping": "engine/drill/drill_records",
    "engine/drill/settling": "engine/drill/recover_orphan",
    "engine/drill/showing": "engine/drill/read_model",
    "engine/faults/toxics": "engine/faults/fault_settings",
    "engine/hands": "engine/delivery/send_slots",
    "engine/holding_back": "engine/delivery/quiet_hours",
    "engine/house": "engine/installation",
    "engine/mould": "engine/response/declaration_batch",
    "engine/orphans": "engine/process/reaper",
    "engine/owing": "engine/response/enqueue",
    "engine/premises": "engine/process/startup_checks",
    "engine/review/holding": "engine/review/run_review",
    "engine/review/occasions": "engine/review/periodic_reports",
    "engine/review/occasions_sheet": "engine/review/periodic_reports_sheet",
    "engine/review/saying": "engine/review/formatting",
    "engine/rotation/handing": "engine/oncall/handover",
    "engine/rotation/looking": "engine/oncall/poll",
    "engine/settling": "engine/delivery/outcomes",
    "engine/speaking": "engine/response/statements",
    "engine/status_desk": "engine/statuspage/subscribers",
    "engine/status_mail": "engine/statuspage/mail",
    "engine/status_page": "engine/statuspage/page",
    "engine/tidying": "engine/process/gc",
    "engine/warning/acting": "engine/warning/effects",
    "engine/warning/heard": "engine/warning/gaps",
    "engine/warning/look": "engine/warning/current_state",
    "engine/warning/marks": "engine/warning/checkpoints",
    "engine/warning/watch": "engine/warning/tracker",
    "engine/watched": "engine/process/child",
    "playbooks/rule_house": "playbooks/rule_vocabulary",
    "playbooks/shelf": "playbooks/file_catalog",
    "storage/accounts_ways": "storage/accounts/sessions_and_tokens",
    "storage/beginnings": "storage/incidents/insert_declared",
    "storage/whole": "storage/incidents/incident_document",
    "web/acting": "web/pages/form_actions",
    "web/asking": "web/auth/authentication",
    "web/desk": "web/http/request_context",
    "web/gathering": "web/http/declare_batcher",
    "web/letterbox": "web/pages/inbox_store",
    "web/making": "web/api/command_forms",
    "web/trail": "web/auth/audit_writer",
}
# Each said too little, or meant several things.
FORMER_NAMES = frozenset({
    "Answer", "Asker", "Course", "Desk", "Hands", "Heard", "Held", "House", "Outcome", "Owed", "Taken",
    "leave_the_old_alone", "settle",
})  # fmt: skip


def files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def module_name(file: Path) -> str:
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> Mapping[str, ast.Module]:
    return {module_name(file): ast.parse(file.read_text(encoding="utf-8")) for file in files(*PRODUCT, *BESIDE)}


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules of ours that an import loads."""
    known = trees()
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names if name.name in known)
        return
    for name in node.names:
        whole = f"{node.module}.{name.name}"
        yield from (one for one in (whole if whole in known else node.module or "",) if one in known)


def imports(tree: ast.AST, *, late: bool = False) -> Iterator[tuple[str, bool]]:
    """Every module of ours that a module imports, and whether only later: in a function, or for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((name, late) for name in imported(node))
        else:
            typed = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(node, late=late or typed or inner)


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Sets of modules that reach each other: what is left when what imports, or is imported by, nobody is taken off."""
    left = {name: set(targets) for name, targets in graph.items()}
    while True:
        wanted = set().union(*left.values()) if left else set()
        loose = {name for name, targets in left.items() if not targets & left.keys() or name not in wanted}
        if not loose:
            break
        left = {name: targets - loose for name, targets in left.items() if name not in loose}

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in left[waiting.pop()] & left.keys() - seen:
                seen.add(target)
                waiting.append(target)
        return seen

    reach = {name: reached(name) for name in left}
    found = {frozenset(other for other in reach[name] if name in reach[other]) for name in left if name in reach[name]}
    return [set(one) for one in found]


@cache
def edges() -> Mapping[str, Sequence[tuple[str, bool]]]:
    return {name: tuple(imports(tree)) for name, tree in trees().items()}


def graph_of(*, late: bool) -> dict[str, set[str]]:
    return {
        name: {target for target, later in found if target != name and (late or not later)}
        for name, found in edges().items()
    }


def test_the_test_sees_a_circle() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [{"b", "c"}]


def test_modules_import_each_other_in_no_circle() -> None:
    assert circles(graph_of(late=False)) == []


def test_imports_inside_functions_close_no_circle_but_those_with_a_reason() -> None:
    graph = graph_of(late=True)
    for importer, target in CIRCLES:
        graph[importer].remove(target)  # a reason for what is not there fails here
    assert circles(graph) == []


@pytest.mark.parametrize("edge", CIRCLES, ids=lambda edge: edge[1])
def test_each_reason_is_needed(edge: tuple[str, str]) -> None:
    graph = graph_of(late=True)
    for importer, target in CIRCLES.keys() - {edge}:
        graph[importer].remove(target)
    assert circles(graph)


def test_the_engine_keeps_everything_in_rooms() -> None:
    loose = {file.name for file in (ROOT / "engine").glob("*.py")}
    assert loose <= {"__init__.py", "__main__.py", "installation.py", "home.py"}


def test_no_folder_but_the_engine_holds_more_than_its_share() -> None:
    lines: Counter[str] = Counter()
    for file in files(*PRODUCT):
        place = file.relative_to(ROOT)
        for folder in [place, *place.parents][1:-1]:
            lines[folder.as_posix()] += len(file.read_text(encoding="utf-8").splitlines())
    whole = sum(lines[folder] for folder in PRODUCT)
    assert {name: count for name, count in lines.items() if count > 0.15 * whole}.keys() <= {"engine"}


def test_no_two_public_classes_share_a_name() -> None:
    homes = defaultdict(list)
    for name, tree in trees().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_a_module_is_named_after_a_thing() -> None:
    words = {
        word: name
        for name in trees()
        if "migrations" not in name
        for word in name.rpartition(".")[2].split("_")
        if word.endswith("ing")
    }
    assert words.keys() == NOUNS.keys()


@pytest.mark.parametrize("former", RENAMED)
def test_a_module_is_found_by_its_name_of_the_field_alone(former: str) -> None:
    assert (ROOT / f"{RENAMED[former]}.py").exists()
    assert not (ROOT / f"{former}.py").exists()
    assert not (ROOT / former).exists()


def test_nothing_has_its_former_name() -> None:
    named = {
        (name, node.name)
        for name, tree in trees().items()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        and (node.name in FORMER_NAMES or node.name.endswith("Desk"))
    }
    assert named == set()
