"""People, workers that die, a Label Studio that stumbles, and time, in any order.

The store, the mirror and the loop are the real ones; Label Studio is in memory.
"""

from __future__ import annotations

import gc
import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ls_active.errors import BackendError, LabelStudioUnreachable
from ls_active.sync import recount
from tests.harness.effects import Effects, Killed
from tests.harness.quick import quick
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

CHOICES = ("cat", "dog")

# What is killed closes nothing.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.timeout(7200),
]


class Loop(RuleBasedStateMachine):
    """One project and all that may happen to it."""

    @initialize(seed=st.integers(0, 2**16))
    def connect(self, seed: int) -> None:
        self.folder = TemporaryDirectory()
        self.random = random.Random(seed)
        self.studio = SimulatedLabelStudio(TEXTS[:12])
        self.rig = Rig(Path(self.folder.name), self.studio, head_size=4)
        self.rig.connect()
        self.rig.change(adopted_at=self.rig.connection.adopted_at - 3600)
        self.records: dict[int, str] = {}

    # People

    @rule(choice=st.sampled_from(CHOICES))
    def label_what_is_served(self, choice: str) -> None:
        task = self.studio.next_task()
        if task is not None:
            self.studio.annotate(task, choice)
            self.studio.wait(2)

    @rule(choice=st.sampled_from(CHOICES))
    def label_any(self, choice: str) -> None:
        self.studio.annotate(self._task(), choice, user=2)
        self.studio.wait(2)

    @rule(choice=st.sampled_from(CHOICES))
    def correct(self, choice: str) -> None:
        made = [item["id"] for row in self.studio.rows.values() for item in row.annotations]
        if made:
            self.studio.update(self.random.choice(made), choice, was_cancelled=False)
            self.studio.wait(2)

    @rule()
    def skip(self) -> None:
        self.studio.skip(self._task())
        self.studio.wait(2)

    @rule()
    def edit_and_label_at_once(self) -> None:
        task = self._task()
        self.studio.edit_task(task, f"our dog number {self.random.random()}")
        self.studio.annotate(task, "dog")
        self.studio.wait(2)

    @rule()
    def add_and_delete_a_task(self) -> None:
        self.studio.add_tasks([f"my cat {self.random.random()}"])
        task = self._task()
        gone = [p["model_version"] for p in self.studio.predictions if p["task"] == task]
        if any(self.studio.sent[name] == 1 for name in gone):
            return  # Who deletes a whole queue before we look has none until we do.
        self.studio.delete_task(task)
        for name in gone:
            self.studio.sent[name] -= 1
        self.studio.wait(2)

    # Ours

    @rule()
    def run(self) -> None:
        self.work()

    @rule(moment=st.integers(0, 60))
    def die(self, moment: int) -> None:
        self.studio.effect = Effects(end_at=moment, watch=self.always_a_whole_queue)
        try:
            self.work()
        except Killed:
            gc.collect()  # The dead hold no locks.
        finally:
            self.studio.effect = Effects(watch=self.always_a_whole_queue)

    @rule(
        fault=st.sampled_from(["drop", "twice", "down"]),
        many=st.integers(1, 4),
    )
    def stumble(self, fault: str, many: int) -> None:
        faults = self.studio.faults
        if fault == "drop":
            faults.drop = [1] * many
        elif fault == "twice":
            faults.twice = many
        else:
            faults.down = LabelStudioUnreachable("500")
        try:
            self.work()
        except BackendError:
            pass
        finally:
            faults.drop, faults.twice, faults.down = [], 0, None

    @rule()
    def lose_the_mirror(self) -> None:
        before = self.rig.settings.local_dir / "mirror"
        for path in sorted(before.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()

    @rule()
    def lose_the_last_model(self) -> None:
        for path in sorted(Path(self.folder.name).rglob("*.npz"))[-1:]:
            path.write_bytes(b"a damaged file")

    # What always holds

    @invariant()
    def always_a_whole_queue(self) -> None:
        assert self.studio.serves_whole(), self.studio.fields["model_version"]

    @invariant()
    def records_and_numbers_never_change(self) -> None:
        store = self.rig.store
        records = {
            number: json.dumps(store.publication(UID, number), sort_keys=True)
            for number in store.publications(UID)
        }
        assert records.items() >= self.records.items()
        self.records = records

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        patience, recount.PATIENCE = recount.PATIENCE, 0.0
        self.studio.effect = Effects()
        try:
            self.settle()
            self._assert_converged()
        finally:
            recount.PATIENCE = patience
            gc.collect()
            self.folder.cleanup()

    def work(self) -> None:
        """Do what a worker does when something changed."""
        self.rig.run()

    def settle(self) -> None:
        """Let time pass, with nobody's help."""
        for _ in range(4):
            self.work()

    def _assert_converged(self) -> None:
        rig, studio = self.rig, self.studio
        assert studio.serves_whole()
        if any(not studio.is_labeled(row) and not row.annotations for row in studio.rows.values()):
            assert rig.record["name"] == studio.fields["model_version"]
        assert set(studio.version_counts()) == {studio.fields["model_version"]}
        said = {task: self._said(task) for task in studio.rows}
        expected = sum(choice is not None for choice in said.values())
        assert rig.status.labels == expected, (said, rig.status)
        if {choice for choice in said.values() if choice} == set(CHOICES):
            newest = rig.store.versions(UID)[-1]
            assert rig.store.manifest(UID, newest)["labels"] == expected

    def _said(self, task: int) -> str | None:
        """Return what annotators say of a task together: each one's last word, a majority."""
        votes: dict[int, str] = {}
        rows = sorted(self.studio.rows[task].annotations, key=lambda item: item["updated_at"])
        for row in rows:
            if row["result"] and not row["was_cancelled"]:
                votes[row["completed_by"]] = row["result"][0]["value"]["choices"][0]
        counts = [list(votes.values()).count(choice) for choice in CHOICES]
        return CHOICES[counts.index(max(counts))] if counts[0] != counts[1] else None

    def _task(self) -> int:
        return self.random.choice(sorted(self.studio.rows))


@pytest.mark.parametrize(
    "examples",
    [
        3,
        pytest.param(8, marks=pytest.mark.slow),
        pytest.param(600, marks=[pytest.mark.long, pytest.mark.timeout(7200)]),
    ],
)
def test_anything_in_any_order_ends_well(examples: int) -> None:
    case = Loop.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with quick():
        case().runTest()
