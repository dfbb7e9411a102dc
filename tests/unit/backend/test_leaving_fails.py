"""Whatever Label Studio does to any call of leaving: said, never half, and pressing again ends it.

A job that a person asked for fails with words. Until they press again, the project is connected as
before, or left alone with a hint what to press.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ls_active import jobs
from ls_active.errors import BackendError
from ls_active.records.project import State
from tests.harness.edges import (
    BEFORE,
    OTHER_HOOK,
    OTHER_ROW,
    THEIRS,
    Start,
    connected_project,
    every,
    made,
    pressed_project,
    served,
)
from tests.harness.rig import Rig
from tests.harness.simulated_http import Wire, on_a_socket
from tests.harness.simulated_project import UID
from tests.harness.troubles import TROUBLES
from tests.harness.wired import run_refit, wired
from tests.redis_fixture import wait_until

CALLS = {
    r"GET /api/projects/\d+$": 1,
    r"GET /api/ml$": 1,
    r"DELETE /api/ml/\d+$": 1,
    r"GET /api/webhooks/$": 1,
    r"DELETE /api/webhooks/\d+/$": 1,
    r"GET /api/projects/\d+/model-versions/$": 1,
    r"DELETE /api/projects/\d+/model-versions/$": 1,
    r"PATCH /api/projects/\d+$": 3,
}
"""The row, the webhook, our predictions; then version and sampling are put back."""

HALFWAY = {
    r"PATCH /api/projects/\d+$": 3,
    r"GET /api/projects/\d+/model-versions/$": 1,
    r"DELETE /api/projects/\d+/model-versions/$": 1,
}
"""Of a project without a row and a webhook of ours, which is only polled."""

NOTICING = {r"GET /api/projects/\d+$": 1, r"GET /api/ml$": 1}
"""Our row was deleted in Label Studio: nothing is written any more."""

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
def connected(wire, valkey, tmp_path_factory) -> Start:
    return connected_project(wire, tmp_path_factory.mktemp("connected"), valkey)


@pytest.fixture
def rig(connected, wire, valkey, tmp_path) -> Iterator[Rig]:
    with wired(wire, connected, tmp_path / "data", valkey) as rig:
        seen = served(rig)
        yield rig
        assert set(seen) <= {"ours", "", THEIRS}
        assert seen[-1] == THEIRS


@pytest.fixture
def row_gone(rig: Rig) -> Rig:
    """Somebody deleted our row in Label Studio, ten minutes after we last looked."""
    rig.studio.delete_ml_backend(rig.connection.backend)
    rig.change(backends_seen_at=0.0)
    return rig


@pytest.fixture
def polled(rig: Rig) -> Rig:
    """Connected from the command line, without a row of ours."""
    rig.studio.backends[:] = [OTHER_ROW]
    rig.studio.hooks[:] = [OTHER_HOOK]
    rig.change(own_url="", webhook=False, backend=None)
    return rig


def press(rig: Rig) -> str:
    """Run the job that a person asked for; return its last words if it fails."""
    try:
        jobs.disconnect(UID)
    except BackendError as error:
        return str(error)
    return ""


def test_every_call_is_known(rig, wire):
    assert press(rig) == ""
    assert made(wire) == CALLS
    assert_as_before(rig)


def test_every_call_of_noticing_it_is_known(row_gone, wire):
    run_refit(row_gone)
    assert made(wire) == NOTICING
    assert_left_alone(row_gone)
    assert press(row_gone) == ""
    assert_as_before(row_gone)


@pytest.mark.parametrize("times", [pytest.param(1, marks=pytest.mark.slow), 10**9])
@every(CALLS)
def test_any_call(rig: Rig, wire: Wire, name: str, call: str, after: int, times: int) -> None:
    trouble, words = TROUBLES[name]
    wire.troubles = [replace(trouble, where=call, after=after, times=times)]
    said = press(rig)
    if said:
        assert re.search(words, said)
    else:
        # A project that is gone is left with no more ado, and a hidden one looks the same.
        assert "404" in words
        assert "hidden from our key" in rig.status.detail
        assert_left_alone(rig)
    wait_until(lambda: not wire.busy)
    reconcile(rig, words)
    wire.troubles = []
    wait_until(lambda: not wire.busy)
    reconcile(rig)
    assert press(rig) == ""
    assert_as_before(rig)


@every(CALLS)
def test_tried_again_at_once(rig: Rig, wire: Wire, name: str, call: str, after: int) -> None:
    """As the queue does, before any other run."""
    trouble, words = TROUBLES[name]
    wire.troubles = [replace(trouble, where=call, after=after, times=1)]
    said = press(rig)
    assert re.search(words, said) or "hidden from our key" in rig.status.detail
    wait_until(lambda: not wire.busy)
    assert press(rig) == ""
    assert_as_before(rig)


@pytest.mark.parametrize("on_contested", ["restore", "leave"])
@pytest.mark.parametrize("place", range(sum(HALFWAY.values())))
def test_that_ends_halfway_is_not_taken_back(
    polled: Rig, wire: Wire, place: int, on_contested: str
) -> None:
    """Where no row of ours could tell: only we know that the project is left."""
    call, after = [(call, n) for call, count in HALFWAY.items() for n in range(count)][place]
    polled.change(extra_params={"on_contested": on_contested})
    wire.troubles = [replace(TROUBLES["500"][0], where=call, after=after)]
    assert press(polled)
    writes = len(polled.studio.effect.names)
    run_refit(polled)
    assert len(polled.studio.effect.names) == writes
    assert_left_alone(polled)
    assert polled.status.state == State.LEAVING
    wire.troubles = []
    assert press(polled) == ""
    assert_as_before(polled)


@every(NOTICING, usual="500")
def test_noticing_it(row_gone: Rig, wire: Wire, name: str, call: str, after: int) -> None:
    trouble, words = TROUBLES[name]
    wire.troubles = [replace(trouble, where=call, after=after)]
    writes = len(row_gone.studio.effect.names)
    for _ in range(2):
        run_refit(row_gone)
        assert row_gone.status.state in (State.FAILING, State.GONE)
        assert re.search(words, row_gone.status.detail), row_gone.status
    wire.troubles = []
    wait_until(lambda: not wire.busy)
    run_refit(row_gone)
    assert_left_alone(row_gone)
    assert len(row_gone.studio.effect.names) == writes
    assert press(row_gone) == ""
    assert_as_before(row_gone)


def reconcile(rig: Rig, words: str = "") -> None:
    """Let the next run come: it says what is wrong, goes on, or leaves the project alone."""
    writes = len(rig.studio.effect.names)
    run_refit(rig)
    if words and rig.status.state in (State.FAILING, State.GONE):
        assert re.search(words, rig.status.detail), rig.status
    elif len(rig.studio.backends) > 1 and rig.connection.active:
        assert rig.status.state == State.READY, rig.status
        assert rig.studio.serves_whole()
    else:
        assert_left_alone(rig)
        assert len(rig.studio.effect.names) == writes


def assert_left_alone(rig: Rig) -> None:
    assert rig.status.state in (State.LEAVING, State.DISCONNECTED), rig.status
    assert not rig.connection.active
    assert "disconnect" in rig.status.remedy
    assert rig.connection.original == BEFORE
    assert jobs._desk().redis.zscore("al:due", UID) is None


def assert_as_before(rig: Rig) -> None:
    studio, known = rig.studio, rig.connection
    assert {name: studio.fields[name] for name in BEFORE} == BEFORE
    assert (studio.hooks, studio.backends) == ([OTHER_HOOK], [OTHER_ROW])
    assert studio.version_counts() == {THEIRS: 3}
    assert (known.active, known.adopted, known.original) == (False, False, {})
    assert rig.status.state == State.DISCONNECTED
    writes = len(studio.effect.names)
    assert run_refit(rig) is None
    assert len(studio.effect.names) == writes
