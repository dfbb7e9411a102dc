"""Annotators get our order to the end, in its turn and whole; what is old is taken away."""

from __future__ import annotations

import time

import pytest

from ls_active.errors import LabelStudioRejected, PublicationIncomplete
from ls_active.loop.refit import IDLE_PRUNES, KEPT_PUBLICATIONS
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def studio():
    return SimulatedLabelStudio(TEXTS)


@pytest.fixture
def rig(tmp_path, studio):
    made = Rig(tmp_path, studio)
    made.connect()
    return made


def versions(rig: Rig) -> list[int]:
    return rig.store.versions(UID)


class TestPublishing:
    def test_serves_our_order_to_the_end_of_the_project(self, tmp_path):
        studio = SimulatedLabelStudio(TEXTS[:12])
        rig = Rig(tmp_path / "whole", studio)
        rig.connect()
        while (task := studio.next_task()) is not None:
            record = rig.record
            assert task == next(t for t in record["tasks"] if t not in rig.labelled)
            studio.annotate(task, rig.answer(task))
            rig.run()
        assert len(rig.labelled) == 12
        for _ in range(2):
            rig.run()
            assert rig.status.state == "ready"
        assert (rig.status.askable, rig.status.labels) == (0, 12)

    def test_one_annotator_who_skips_everything_gets_no_random_task(self, rig, studio):
        for _ in range(14):
            task = studio.next_task()
            assert task in rig.record["tasks"]
            studio.skip(task)
            rig.run()

    def test_waits_its_turn_and_says_when(self, tmp_path, studio):
        rig = Rig(tmp_path / "slow", studio, min_interval=100)
        rig.connect()
        rig.label(2)
        assert rig.run().again_in is None
        rig.label(2)
        again_in = rig.run().again_in
        assert 90 < again_in <= 100
        assert versions(rig) == [1]

    def test_does_not_wait_when_the_head_is_used_up(self, tmp_path, studio):
        rig = Rig(tmp_path / "slow", studio, min_interval=100, min_labels=999)
        rig.connect()
        rig.label(4)
        before = rig.record["name"]
        rig.run()
        assert rig.record["name"] == before
        rig.label(2)
        rig.run()
        assert rig.record["name"] != before
        assert not set(rig.record["tasks"]) & rig.labelled

    def test_takes_in_new_tasks(self, rig, studio):
        rig.label(4)
        rig.run()
        studio.add_tasks(["a cat of another kind"])
        before = rig.record["name"]
        rig.run()
        assert rig.record["name"] != before
        assert rig.record["last_id"] == max(studio.rows)

    def test_ranks_again_when_a_task_is_deleted_in_the_middle(self, rig, studio):
        rig.label(4)

        def delete() -> None:
            studio.delete_task(max(studio.rows.keys() - rig.labelled))

        studio.faults.during_import = [delete, delete]
        rig.run()
        assert studio.serves_whole()
        assert set(rig.record["tasks"]) <= studio.rows.keys()
        assert rig.record["name"] == studio.fields["model_version"]

    def test_gives_up_when_that_goes_on(self, rig, studio):
        rig.label(4)
        before = studio.fields["model_version"]
        studio.import_predictions, kept = self.refuse, studio.import_predictions
        with pytest.raises(LabelStudioRejected):
            rig.run()
        assert studio.fields["model_version"] == before
        studio.import_predictions = kept
        rig.run()
        assert rig.record["version"] == 1

    @staticmethod
    def refuse(project_id: int, predictions: list) -> int:
        raise LabelStudioRejected("Task id not found in the project")

    def test_keeps_the_old_queue_when_predictions_are_lost(self, rig, studio):
        before = studio.fields["model_version"]
        rig.label(4)
        studio.faults.drop = [1, 1, 1]
        with pytest.raises(PublicationIncomplete):
            rig.run()
        assert studio.fields["model_version"] == before
        rig.run()
        assert rig.record["version"] == 1
        assert versions(rig) == [1]

    def test_shows_guesses_once_the_model_is_useful(self, tmp_path):
        studio = SimulatedLabelStudio(TEXTS)
        rig = Rig(tmp_path / "shown", studio, audit_share=0.2, head_size=20)
        rig.connect()
        rig.label(20)
        rig.run()
        record = rig.record
        assert rig.status.useful
        by_reason = {
            reason: {shown for why, shown in zip(record["reasons"], record["shown"], strict=True)
                     if why == reason}
            for reason in set(record["reasons"])
        }  # fmt: skip
        assert by_reason == {"audit": {False}, "strategy": {True}}

    def test_asks_the_share_of_audit_tasks(self, tmp_path):
        share = 0.3
        rig = Rig(tmp_path / "share", SimulatedLabelStudio(TEXTS), audit_share=share)
        rig.connect()
        audited = 0
        for n in range(1, 13):
            task = rig.studio.next_task()
            record = rig.record
            audited += record["reasons"][record["tasks"].index(task)] == "audit"
            rig.studio.annotate(task, rig.answer(task))
            rig.run()
            assert abs(audited - share * n) <= 1


class TestPruning:
    def test_is_left_for_an_idle_moment(self, rig, studio):
        for _ in range(KEPT_PUBLICATIONS + 2):
            rig.label(2)
            rig.run(idle=False)
        ours = [name for name in studio.version_counts() if name != rig.record["name"]]
        assert len(ours) == KEPT_PUBLICATIONS
        rig.run()
        assert len(studio.version_counts()) == KEPT_PUBLICATIONS - IDLE_PRUNES + 1
        rig.run()
        assert set(studio.version_counts()) == {rig.record["name"]}

    def test_is_made_up_for_when_somebody_else_steered_meanwhile(self, rig, studio):
        rig.label(4)
        rig.run(idle=False)
        rig.change(adopted_at=rig.connection.adopted_at - 3600, contested_at=time.time())
        ours = studio.fields["model_version"]
        studio.fields["model_version"] = ""
        rig.run()
        assert len(studio.version_counts()) > 1
        studio.fields["model_version"] = ours
        rig.run()
        assert set(studio.version_counts()) == {ours}
