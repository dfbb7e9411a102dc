"""Whatever Label Studio does to any call of a run: said, waited out, and healed by itself.

The real client talks to a Label Studio in memory over a real socket. At every moment annotators
are served a whole queue of ours.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ls_active import jobs
from ls_active.jobs import RETRY_FIRST, RETRY_MOST
from ls_active.label_studio import client as label_studio_client
from ls_active.loop import adoption
from ls_active.loop.workshop import connect
from ls_active.records.project import State
from tests.harness.effects import Effects
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import KEY, Trouble, Wire, on_a_socket
from tests.harness.simulated_project import UID
from tests.harness.stack import free_port
from tests.harness.troubles import CALLS, PATIENCE, PRUNES, TROUBLES
from tests.harness.wired import always_served, run_refit, wired
from tests.redis_fixture import wait_until

BEFORE, LABELS = 6, 12

# The server's threads end when they notice that the client is gone.
pytestmark = [
    pytest.mark.usefixtures("quickly"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with on_a_socket(SimulatedLabelStudio(TEXTS[:24])) as running:
        yield running


@pytest.fixture(scope="module")
def start(wire, tmp_path_factory) -> tuple[Path, SimulatedLabelStudio]:
    """A project with a model, and as many labels again that nobody has learned."""
    rig = Rig(tmp_path_factory.mktemp("start"), wire.studio)
    rig.connect()
    rig.label(BEFORE)
    rig.run()
    rig.change(adopted_at=rig.connection.adopted_at - 3600)
    rig.label(LABELS - BEFORE)
    return Path(rig.settings.data_dir), wire.studio


@pytest.fixture
def rig(start, wire, valkey, tmp_path) -> Iterator[Rig]:
    with wired(wire, start, tmp_path / "data", valkey) as rig:
        always_served(rig)
        yield rig


def run_once(rig: Rig) -> float:
    """Run the job, any pause over; return in how many seconds it is due again."""
    due = run_refit(rig)
    assert rig.studio.serves_whole()
    assert due is not None
    return due


def assert_healed(rig: Rig, labels: int = LABELS) -> None:
    """What the next runs make of it, with nobody's help."""
    for _ in range(4):
        run_once(rig)
        if rig.status.labels == labels and len(rig.studio.version_counts()) == 1:
            break
    assert (rig.status.state, rig.status.labels) == (State.READY, labels), rig.status
    assert rig.record["name"] == rig.studio.fields["model_version"]
    assert set(rig.studio.version_counts()) == {rig.record["name"]}
    assert rig.store.manifest(UID, rig.store.versions(UID)[-1])["labels"] == labels
    assert not jobs._desk().redis.exists(f"al:{UID}:failures")


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", TROUBLES)
def test_any_call_of_a_run(rig: Rig, wire: Wire, name: str, call: str) -> None:
    trouble, words = TROUBLES[name]
    wire.troubles = [replace(trouble, where=call)]
    due = run_once(rig)
    status = rig.status
    assert status.state in (State.FAILING, State.GONE), status
    assert re.search(words, status.detail), status
    if status.state == State.FAILING:
        assert RETRY_FIRST - 2 < due <= RETRY_FIRST
        assert "tried again" in status.remedy
        assert run_once(rig) > RETRY_FIRST
    wire.troubles = []
    wait_until(lambda: not wire.busy)
    assert_healed(rig)


@pytest.mark.slow
@pytest.mark.parametrize("name", TROUBLES)
def test_pruning(rig: Rig, wire: Wire, name: str) -> None:
    """The queue is in force already: what is left to do is done later."""
    wire.troubles = [replace(TROUBLES[name][0], where=PRUNES, times=1)]
    run_once(rig)
    assert wire.calls["DELETE /api/projects/1/model-versions/"] >= 1
    assert rig.studio.fields["model_version"].startswith("al-2.")
    assert_healed(rig)


def test_nobody_listens_at_its_address(rig, wire, monkeypatch):
    address = wire.url.rpartition(":")[0]
    down = {"label_studio_url": f"{address}:{free_port()}"}
    usual = jobs.connect
    monkeypatch.setattr(jobs, "connect", lambda s: usual(s.model_copy(update=down)))
    waits = [run_once(rig) for _ in range(2)]
    assert rig.status.state == State.FAILING
    assert "Connection refused" in rig.status.detail
    assert waits[1] > waits[0]
    monkeypatch.setattr(jobs, "connect", usual)
    assert_healed(rig)


def test_slow_and_in_time_is_no_trouble(rig, wire, monkeypatch):
    monkeypatch.setattr(jobs, "connect", lambda s: connect(s, timeout=20 * PATIENCE, retries=0))
    monkeypatch.setattr(label_studio_client, "BULK_TIMEOUT", 20 * PATIENCE)
    wire.troubles = [Trouble(where=call, delay=PATIENCE, times=1) for call in CALLS]
    run_once(rig)
    assert rig.status.state == State.READY
    assert_healed(rig)


@pytest.mark.long
@pytest.mark.parametrize(("seconds", "state"), [(25, State.READY), (35, State.FAILING)])
def test_half_a_minute_for_an_answer(rig, wire, monkeypatch, seconds: int, state: State) -> None:
    """Not scaled down: with the patience of every day, which is 30 s, three times."""
    monkeypatch.setattr(jobs, "connect", connect)
    monkeypatch.setattr(label_studio_client, "BULK_TIMEOUT", 300.0)
    wire.troubles = [Trouble("GET /api/tasks$", delay=seconds, times=3)]
    run_once(rig)
    assert rig.status.state == state, rig.status
    wait_until(lambda: not wire.busy, 60)
    assert_healed(rig)


def test_an_import_that_lands_when_nobody_waits_for_it_goes_with_the_next_queue(rig, wire):
    now = threading.Event()
    wire.troubles = [Trouble("POST .*/import/predictions$", until=now, times=1)]
    run_once(rig)
    assert rig.status.state == State.FAILING
    run_once(rig)
    assert rig.status.state == State.READY
    now.set()
    wait_until(lambda: not wire.busy)
    assert len(rig.studio.version_counts()) == 2
    rig.label(1)
    assert_healed(rig, LABELS + 1)


def test_one_refusal_of_a_read_is_not_even_noticed(rig, wire, monkeypatch):
    monkeypatch.setattr(jobs, "connect", lambda s: connect(s, timeout=PATIENCE, retries=1))
    wire.troubles = [Trouble("GET /api/tasks$", status=500, times=1)]
    run_once(rig)
    assert rig.status.state == State.READY


def test_a_rotated_key_says_what_to_do_and_never_asks_in_a_hurry(rig, wire):
    wire.keys = {"another"}
    waits = [run_once(rig) for _ in range(9)]
    assert rig.status.state == State.FAILING
    assert "personal access token" in rig.status.detail
    assert [round(each) for each in waits] == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert RETRY_MOST - 5 < waits[-1] <= RETRY_MOST
    wire.keys = {KEY}
    assert_healed(rig)


def test_a_deleted_project_is_said_and_a_hidden_one_comes_back(rig, wire):
    rig.studio.gone = True
    run_once(rig)
    assert rig.status.state == State.GONE
    assert "has no project 1" in rig.status.detail
    rig.studio.gone = False
    assert_healed(rig)


class TestStoredWrongly:
    """201 says nothing about what is there."""

    @pytest.mark.parametrize("lost", [[1], [1, 1], [10]])
    def test_fewer_than_were_sent(self, rig, lost):
        rig.studio.faults.drop = list(lost)
        run_once(rig)
        assert rig.status.state == State.READY
        assert_healed(rig)

    def test_fewer_than_were_sent_for_a_long_time(self, rig):
        rig.studio.faults.drop = [1] * 12
        before = rig.studio.fields["model_version"]
        for _ in range(4):
            run_once(rig)
            assert rig.status.state == State.FAILING
            assert "sent 10 predictions, Label Studio holds 9" in rig.status.detail
            assert rig.studio.fields["model_version"] == before
            assert len(rig.studio.version_counts()) <= 2
        assert_healed(rig)

    def test_what_nobody_waited_for_does_not_pile_up(self, rig, wire):
        """Label Studio does what it is asked, and never says so."""
        wire.troubles = [Trouble("POST .*/import/predictions$", lost=True)]
        for _ in range(4):
            run_once(rig)
            assert rig.status.state == State.FAILING
            assert len(rig.studio.version_counts()) <= 2
        wire.troubles = []
        assert_healed(rig)

    @pytest.mark.parametrize("times", [1, 2, 5])
    def test_twice_after_a_retry_of_its_own(self, rig, times):
        rig.studio.faults.twice = times
        run_once(rig)
        run_once(rig)
        assert_healed(rig)

    def test_a_task_is_deleted_in_the_middle(self, rig):
        rig.studio.effect = Effects()  # The queue in force loses that task as well.
        left = iter(sorted(rig.studio.rows.keys() - rig.labelled))
        rig.studio.faults.during_import = [lambda: rig.studio.delete_task(next(left))] * 2
        run_once(rig)
        assert rig.status.state == State.READY
        assert_healed(rig)


class TestSomebodyElseSteersToo:
    """A person changes the project at any moment of ours."""

    @pytest.mark.slow
    @pytest.mark.parametrize("moment", range(6))
    @pytest.mark.parametrize(
        "change",
        [
            lambda studio: studio.fields.update(sampling="Sequential sampling"),
            lambda studio: studio.fields.update(model_version="the model of somebody else"),
            lambda studio: studio.fields.update(model_version=""),
        ],
        ids=["sampling", "another version", "no version"],
    )
    def test_between_any_two_effects(
        self, rig, moment: int, change: Callable[[SimulatedLabelStudio], None], monkeypatch
    ):
        monkeypatch.setattr(adoption, "CONTEST_PAUSE", 0.0)
        moments = iter(range(1000))

        def interfere() -> None:
            if next(moments) == moment:
                change(rig.studio)

        rig.studio.effect = Effects(watch=interfere)
        monkeypatch.setattr(rig.studio, "serves_whole", lambda: True)
        run_once(rig)
        assert next(moments) > moment
        monkeypatch.undo()
        rig.change(contested_at=0.0)
        self.settle(rig)

    def settle(self, rig: Rig) -> None:
        for _ in range(4):
            rig.run()
        assert (rig.status.state, rig.status.labels) == (State.READY, LABELS)
        assert rig.studio.serves_whole()
        assert rig.studio.fields["sampling"] == adoption.SAMPLING
        assert rig.record["name"] == rig.studio.fields["model_version"]
