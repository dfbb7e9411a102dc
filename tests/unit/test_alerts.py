"""The example alerts: they parse, and speak of figures and states that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ls_active.engine.figures import QueueFigures
from ls_active.records.project import ProjectStatus, State
from ls_active.web.metrics import Metrics

GROUPS = yaml.safe_load((Path(__file__).parents[2] / "docker" / "alerts.yaml").read_text())[
    "groups"
]
RULES = [rule for group in GROUPS for rule in group["rules"]]
every_rule = pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])


@pytest.fixture(scope="module")
def text() -> str:
    status = ProjectStatus("1.2", title="News", state="ready", updated_at=1.0)
    metrics = Metrics(lambda: QueueFigures(0, 0, 0, 1), lambda: [status])
    metrics.request("/health", 200, 0.01)
    return metrics.render().decode()


@every_rule
def test_it_speaks_of_figures_that_we_have(rule, text):
    names = re.findall(r"\bls_active_\w+", rule["expr"])
    assert names
    for name in names:
        assert re.search(rf"^{name}[ {{]", text, re.MULTILINE), name


@every_rule
def test_its_states_are_ours(rule):
    for name in re.findall(r'state=~?"([^"]+)"', rule["expr"]):
        assert set(name.split("|")) <= {*State, "queued", "running", "failed"}


@every_rule
def test_it_says_what_to_do(rule):
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["remedy"].endswith(".")
    assert re.fullmatch(r"\d+m", rule["for"])
