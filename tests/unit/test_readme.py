"""What the README says, against the code."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel, SecretStr

from active_learning import registry
from ls_active.cli.main import app
from ls_active.demo.studio_install import VERSION
from ls_active.labeling import label_config, tags
from ls_active.labeling.plan import make_plan
from ls_active.options import Options
from ls_active.settings import Settings
from tests.checks import cells

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def table(first_header: str) -> list[list[str]]:
    """The rows of the table whose first column has this header, the header row first."""
    lines = README.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_header} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def block(language: str) -> str:
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)
    assert found
    return "\n".join(found)


def fields(model: type[BaseModel], *, upper: bool) -> list[list[str]]:
    """The rows that a table of these fields must have."""
    return [
        [f"`{name.upper() if upper else name}`", shown(field.default), field.description or ""]
        for name, field in model.model_fields.items()
    ]


def shown(default: Any) -> str:
    value = default.get_secret_value() if isinstance(default, SecretStr) else default
    return "" if value in ("", None) else f"`{value}`"


def test_it_is_short():
    assert len(README.splitlines()) <= 340


def test_every_setting_is_described():
    assert table("variable")[1:] == fields(Settings, upper=True)


def test_every_option_is_described():
    assert table("option")[1:] == fields(Options, upper=False)


def test_every_strategy_is_described():
    known = {
        name: (type(strategy).__doc__ or "").splitlines()[0]
        for name, strategy in registry.strategies().items()
    }
    assert {row[0].strip("`"): row[1] for row in table("name")[1:]} == known


def test_what_can_be_learned_is_listed():
    header, *rows = table("control tag")
    objects = [cell.strip("`") for cell in header[1:]]
    known = {tag for item in registry.featurizers().values() for tag in item.object_tags}
    assert sorted(objects) == sorted(known)
    controls = {adapter.tag for adapter in tags.adapters().values()}
    assert {row[0].strip("`") for row in rows} == controls
    for name, *works in rows:
        said = {shown for shown, cell in zip(objects, works, strict=True) if cell}
        assert said == {shown for shown in objects if is_learned(name.strip("`"), shown)}, name


def is_learned(control: str, shown: str) -> bool:
    """Whether a control of an object is, in what tests/unit/backend/test_cells.py tries out."""
    return bool(make_plan(label_config.parse(cells.config_of(shown, control))).heads)


def test_every_command_is_described():
    described = {
        row[0].strip("`").removeprefix("ls-active "): row[1] for row in table("command")[1:]
    }
    assert described == {name: command.help.splitlines()[0] for name, command in COMMANDS.items()}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_its_options_have_help(name):
    assert COMMANDS[name].help
    silent = [item.name for item in COMMANDS[name].params if not item.help and item.name != "help"]
    assert not silent


def test_commands_in_the_examples_exist():
    for line in block("sh").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert words[1] in TARGETS, line
        elif words[:1] == ["ls-active"]:
            assert_runs(words)


def test_commands_in_the_text_exist():
    for inline in re.findall(r"`([^`\n]+)`", README):
        words = inline.split()
        if words[0] == "make" and len(words) > 1:
            assert words[1] in TARGETS, inline
        elif words[0] == "ls-active" and len(words) > 1:
            assert_runs(words)


def assert_runs(words: list[str]) -> None:
    """Check a command and the options it is given."""
    command = COMMANDS[words[1]]
    known = {option for item in command.params for option in item.opts}
    assert {word for word in words[2:] if word.startswith("-")} <= known, words


def test_the_python_example_imports_what_exists():
    for node in ast.walk(ast.parse(block("python"))):
        if isinstance(node, ast.ImportFrom):
            module = __import__(node.module or "", fromlist=["_"])
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_files_it_names_exist():
    for name in re.findall(r"`((?:backend|model|tests|docker)/[\w./-]+)`", README):
        if name != "docker/.env":
            assert (ROOT / name).exists(), name


def test_it_names_the_label_studio_that_is_tested():
    older = re.findall(r"^OLDER := (.+)", MAKEFILE, re.MULTILINE)
    assert set(re.findall(r"Label Studio (\d+\.\d+\.\d+)", README)) == {VERSION, *older}
