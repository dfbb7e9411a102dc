"""Whatever Label Studio does to any call of connecting: said, waited out, and healed by itself.

`test_label_studio_fails.py` has the runs after it, `test_leaving_fails.py` the way back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ls_active.jobs import RETRY_FIRST
from ls_active.loop.adoption import SAMPLING
from ls_active.records.project import State
from ls_active.records.secret import SECRET_HEADER, webhook_secret
from tests.harness.edges import (
    BEFORE,
    LABELS,
    OTHER_HOOK,
    THEIRS,
    every,
    made,
    pressed_project,
    served,
    setup,
)
from tests.harness.rig import OWN_URL, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import Wire, on_a_socket
from tests.harness.simulated_project import UID
from tests.harness.troubles import TROUBLES
from tests.harness.wired import run_refit, wired
from tests.redis_fixture import wait_until

CALLS = {
    r"GET /api/projects/\d+$": 6,
    r"GET /api/ml$": 1,
    r"GET /api/tasks$": 6,
    r"GET /api/webhooks/$": 1,
    r"PATCH /api/webhooks/\d+/$": 1,
    r"DELETE /api/webhooks/\d+/$": 1,
    r"GET /api/projects/\d+/model-versions/$": 5,
    r"POST /api/projects/\d+/import/predictions$": 2,
    r"PATCH /api/projects/\d+$": 3,
    r"DELETE /api/projects/\d+/model-versions/$": 1,
}
"""Sampling is set, our two webhooks become one, and two queues come into force: audit, model."""

WITHOUT_WEBHOOK = {r"POST /api/webhooks/$": 1}
"""What is called instead where Label Studio made none."""

# The server's threads end when they notice that the client is gone.
pytestmark = [
    pytest.mark.usefixtures("quickly"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with on_a_socket(pressed_project()) as running:
        yield running


@pytest.fixture(scope="module")
def pressed(wire) -> SimulatedLabelStudio:
    return wire.studio


@pytest.fixture
def rig(wire, pressed, valkey, tmp_path) -> Iterator[Rig]:
    with wired(wire, (tmp_path / "nothing", pressed), tmp_path / "data", valkey) as rig:
        seen = served(rig)
        setup(wire)
        yield rig
        assert seen == [THEIRS, "ours"]


def test_every_call_is_known(rig, wire):
    run_refit(rig)
    assert made(wire) == CALLS
    assert_connected(rig)


def test_every_call_is_known_without_webhook(rig, wire):
    rig.studio.hooks = [OTHER_HOOK]
    run_refit(rig)
    assert made(wire).keys() - CALLS.keys() == WITHOUT_WEBHOOK.keys()
    assert_connected(rig)


@every(CALLS)
def test_any_call(rig: Rig, wire: Wire, name: str, call: str, after: int) -> None:
    fail_and_heal(rig, wire, name, call, after)


@every(WITHOUT_WEBHOOK)
def test_making_a_webhook(rig: Rig, wire: Wire, name: str, call: str, after: int) -> None:
    rig.studio.hooks = [OTHER_HOOK]
    fail_and_heal(rig, wire, name, call, after)


def fail_and_heal(rig: Rig, wire: Wire, name: str, call: str, after: int) -> None:
    trouble, words = TROUBLES[name]
    thrown = replace(trouble, where=call, after=after)
    wire.troubles = [thrown]
    for seconds in (RETRY_FIRST, 2 * RETRY_FIRST):
        left, due, status = thrown.times, run_refit(rig), rig.status
        if thrown.times == left and seconds > RETRY_FIRST:
            break  # It was done the first time: there is nothing left to call for.
        assert status.state in (State.FAILING, State.GONE), status
        assert re.search(words, status.detail), status
        assert status.remedy
        if status.state == State.FAILING:
            assert due is not None
            assert seconds / 2 < due <= seconds
    wire.troubles = []
    wait_until(lambda: not wire.busy)
    if rig.status.state == State.GONE:
        setup(wire)
    for _ in range(3):
        run_refit(rig)
    assert_connected(rig)


def assert_connected(rig: Rig) -> None:
    studio, status, known = rig.studio, rig.status, rig.connection
    assert (status.state, status.labels) == (State.READY, LABELS), status
    assert studio.fields["sampling"] == SAMPLING
    assert rig.record["name"] == studio.fields["model_version"] == status.publication
    assert studio.version_counts().keys() == {THEIRS, status.publication}
    [hook] = [row for row in studio.hooks if row != OTHER_HOOK]
    assert (hook["url"], hook["is_active"]) == (f"{OWN_URL}/webhook", True)
    assert hook["headers"] == {SECRET_HEADER: webhook_secret(rig.settings, UID)}
    assert OTHER_HOOK in studio.hooks
    assert (known.adopted, known.webhook, known.original) == (True, True, BEFORE)
