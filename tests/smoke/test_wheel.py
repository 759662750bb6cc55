"""The built package in an environment of its own: whole, without the tests, run from an empty folder."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "playbooks", "storage", "channels", "engine", "tasks", "flows", "runner", "web", "cli", "locales")
DATA = ("*.yaml", "*.json", "*.po", "*.html", "*.css", "*.js", "*.svg", "*.sql", "*.mako", "*.txt")


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel; its dependencies are borrowed from this one."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, folder=place)
    (site,) = place.glob("lib/python*/site-packages")
    # After the wheel's own files, and without the .pth files of this environment: the repository stays out.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin"


def test_every_package_is_in_it_and_no_test(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names if not name.startswith("tocsin-")} == set(PACKAGES)
    assert not [name for name in names if Path(name).name.startswith(("test_", "conftest"))]


def test_every_data_file_is_in_it(names: set[str]) -> None:
    here = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for kind in DATA
        for path in (ROOT / package).rglob(kind)
    }
    assert here - names == set()
    assert {"flows/prefect.yaml", "locales/zh_CN/LC_MESSAGES/tocsin.po"} <= names


def test_the_license_is_in_it(names: set[str]) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_every_package_is_imported_from_it(installed: Path, tmp_path: Path) -> None:
    code = "\n".join(f"import {name}; print({name}.__file__)" for name in PACKAGES)
    places = run(installed / "python", "-I", "-c", code, folder=tmp_path).split()
    assert [place for place in places if not place.startswith(str(installed.parent))] == []


def test_the_schedules_are_found_beside_the_flows(installed: Path, tmp_path: Path) -> None:
    code = "from engine.process.children import ROOT, prefect_file; print(prefect_file().relative_to(ROOT))"
    assert run(installed / "python", "-I", "-c", code, folder=tmp_path) == "flows/prefect.yaml\n"


def test_the_command_answers_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    assert "declare" in run(installed / "tocsin", "--help", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
