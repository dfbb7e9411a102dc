"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import statistics
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import active_learning
import ls_active
from ls_active.options import Options
from ls_active.settings import Settings

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "backend" / "ls_active"
CORE = ROOT / "model" / "active_learning"
FILES = sorted([*SERVICE.rglob("*.py"), *CORE.rglob("*.py")])

DECODERS = {
    "featurizers": {"io", "lxml", "PIL", "soundfile"},
    "encoders": {"io", "onnx", "onnxruntime", "pathlib", "tokenizers"},
}
"""What the parts that make sense of a file's bytes may use besides; `encoders` read their weights
from an installed package."""

MAX_FILE = 300
MAX_FUNCTION = 60


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, kinds)]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines without decorators and docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def imports(path: Path) -> set[str]:
    """Top-level packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def reads_environment(path: Path) -> bool:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}:
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            return any(alias.name in {"environ", "getenv", "environb"} for alias in node.names)
    return False


# Size


def test_files_are_short():
    lines = {path.name: len(path.read_text().splitlines()) for path in FILES}
    assert {name: n for name, n in lines.items() if n > MAX_FILE} == {}, "split by noun"


def test_functions_are_short():
    lengths = {(path.name, node.name): length(node) for path in FILES for node in functions(path)}
    assert {name: n for name, n in lengths.items() if n > MAX_FUNCTION} == {}


def test_most_functions_are_very_short():
    lengths = sorted(length(node) for path in FILES for node in functions(path))
    assert statistics.median(lengths) <= 8
    assert lengths[int(0.95 * len(lengths))] <= 35


# Words


def test_modules_say_what_they_are():
    assert [path.name for path in FILES if not ast.get_docstring(tree_of(path))] == []


def test_nothing_is_left_to_do():
    marker = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    texts = [*FILES, *(ROOT / "docker").iterdir(), ROOT / "Makefile", ROOT / "README.md"]
    assert [path.name for path in texts if marker.search(path.read_text())] == []


# Doors


def test_the_environment_is_read_in_one_file():
    readers = {path.name for path in FILES if reads_environment(path)}
    # processes.py hands the whole of it on to child processes, unread.
    assert readers == {"settings.py", "processes.py"}


def test_label_studio_ml_is_imported_in_one_file():
    assert [path.name for path in FILES if "label_studio_ml" in imports(path)] == ["ml_backend.py"]


def test_nothing_is_pickled():
    picklers = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    assert [path.name for path in FILES if imports(path) & picklers] == []


def test_the_core_is_pure():
    effects = {"asyncio", "io", "logging", "os", "pathlib", "socket", "subprocess", "sys", "time"}
    for path in CORE.rglob("*.py"):
        others = imports(path) - (sys.stdlib_module_names - effects)
        own = DECODERS.get(path.parent.name, set())
        assert others - own <= {"active_learning", "numpy", "scipy", "sklearn"}, path.name


@pytest.mark.parametrize(
    ("fields", "home"),
    [(Settings.model_fields, "settings.py"), (Options.model_fields, "options.py")],
    ids=["settings", "options"],
)
def test_every_knob_turns_something(fields, home):
    used = {
        node.attr
        for path in FILES
        if path.name != home
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
    }
    # Behind Settings.local_dir.
    used |= {"cache_dir"}
    assert set(fields) - used == set()


# Names and versions


def test_all_public_names_of_the_core_are_listed():
    public = {
        name
        for name, value in vars(active_learning).items()
        if not name.startswith("_") and not isinstance(value, type(active_learning))
    }
    assert public == set(active_learning.__all__)


def test_the_changelog_is_about_this_version():
    versions = re.findall(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == ls_active.__version__


def test_import_contracts_cover_both_packages():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [item for item in contracts["contracts"] if item["type"] == "layers"]
    assert all(item["exhaustive"] for item in layers)
    assert {item["containers"][0] for item in layers} == {"ls_active", "active_learning"}
