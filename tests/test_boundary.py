"""The lines of the house that no linter draws, held by reading the syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "agent",
    "audit",
    "commands",
    "demo",
    "guard",
    "notify",
    "pages",
    "redaction",
    "store",
    "telemetry",
    "ui",
)
DRIVERS = {"sqlite3", "duckdb", "sqlalchemy", "psycopg", "pymysql", "apsw"}
DRIVER_HOMES = ("guard/engines/", "audit/", "store/", "demo/")
SCREENS = ("app.py", "pages/", "ui/")
HIDDEN = {"eval", "exec", "compile", "__import__"}


@cache
def trees() -> dict[str, ast.Module]:
    files = [ROOT / "app.py", ROOT / "cli.py"]
    files += [p for name in PACKAGES for p in sorted((ROOT / name).rglob("*.py"))]
    return {p.relative_to(ROOT).as_posix(): ast.parse(p.read_text(encoding="utf-8")) for p in files}


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            yield called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def test_promise_01_one_door_drivers_are_imported_in_their_homes_only() -> None:
    for path, tree in trees().items():
        found = {name.partition(".")[0] for name in imports(tree)} & DRIVERS
        assert not found or path.startswith(DRIVER_HOMES), (path, found)


def test_promise_01_one_door_nothing_is_imported_or_run_behind_its_back() -> None:
    for path, tree in trees().items():
        names = set(imports(tree))
        dynamic = {n for n in names if n == "importlib" or n.startswith("importlib.")}
        assert dynamic <= {"importlib.metadata", "importlib.resources"}, path
        builtins = {
            n.func.id
            for n in ast.walk(tree)
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        }
        assert not builtins & HIDDEN, (path, builtins & HIDDEN)


@pytest.mark.parametrize(
    ("name", "homes"),
    [
        ("GuardedQuery", {"guard/rewrite.py"}),
        ("ApprovedChange", {"guard/writer.py"}),
        ("sealed", {"guard/review.py"}),
    ],
)
def test_promise_06_proofs_are_built_in_one_place(name: str, homes: set[str]) -> None:
    found = {path for path, tree in trees().items() if name in set(calls(tree))}
    assert found == homes


def test_promise_06_the_agent_never_holds_the_review_desk() -> None:
    for path, tree in trees().items():
        if path.startswith("agent/"):
            text = ast.unparse(tree)
            assert "review" not in {n.partition(".")[2] for n in imports(tree)}
            assert "Review(" not in text, path
            assert ".approve(" not in text, path


def test_streamlit_is_imported_for_screens_only() -> None:
    for path, tree in trees().items():
        if any(n.partition(".")[0] == "streamlit" for n in imports(tree)):
            assert path.startswith(SCREENS), path


def test_the_entries_only_hand_over() -> None:
    own = {n.partition(".")[0] for n in imports(trees()["cli.py"])} & set(PACKAGES)
    assert own == {"commands"}
    own = {n.partition(".")[0] for n in imports(trees()["app.py"])} & set(PACKAGES)
    assert own == {"ui"}


def test_no_text_of_a_database_reaches_a_browser_as_markup() -> None:
    for path, tree in trees().items():
        text = ast.unparse(tree)
        assert "unsafe_allow_html" not in text, path
        assert "unsafe_allow_javascript" not in text, path


def test_every_page_begins_with_a_role_check() -> None:
    for path, tree in trees().items():
        if not path.startswith("pages/") or path.endswith("__init__.py"):
            continue
        first = next(
            n
            for n in tree.body
            if not isinstance(n, ast.Import | ast.ImportFrom)
            and not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
        )
        assert "require(" in ast.unparse(first), path


@pytest.mark.parametrize("name", ["ui.exports", "ui.session", "ui.web"])
def test_what_the_web_layer_stands_on_can_be_imported_first(name: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, check=True)
