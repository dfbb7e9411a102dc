"""What annotators said together is what is learned; everything else is not."""

from __future__ import annotations

import pytest

from active_learning.types import UNLABELED, Serving
from ls_active.labeling import label_config
from ls_active.labeling.plan import make_plan
from ls_active.loop import dataset
from tests.harness.mirrors import LetterInputs, open_mirror, sync_of
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import CONFIG, UID

PLAN = make_plan(label_config.parse(CONFIG))


pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def studio():
    return SimulatedLabelStudio([f"text {number}" for number in range(6)], maximum_annotations=3)


@pytest.fixture
def load(studio, tmp_path):
    def read(plan=PLAN, skip_queue="REQUEUE_FOR_OTHERS"):
        with open_mirror(tmp_path) as mirror:
            sync_of(studio, mirror).run()
            return load_from(mirror, plan, skip_queue)

    return read


def load_from(mirror, plan=PLAN, skip_queue="REQUEUE_FOR_OTHERS"):
    return dataset.load(mirror, plan, LetterInputs(), uid=UID, seed=0, skip_queue=skip_queue)


def labels(data) -> dict[int, str]:
    pool = data.pool
    return {int(pool.ids[row]): pool.classes[pool.y[row]] for row in pool.labeled}


class TestConsensus:
    def test_of_the_majority(self, studio, load):
        for user, choice in enumerate(["cat", "dog", "dog"]):
            studio.annotate(1, choice, user)
        assert labels(load()) == {1: "dog"}

    def test_of_a_tie_is_none_and_counted(self, studio, load):
        studio.annotate(1, "cat", 1)
        studio.annotate(1, "dog", 2)
        data = load()
        assert (labels(data), data.tied, data.annotators) == ({}, 1, 2)

    def test_ground_truth_wins(self, studio, load):
        for user, choice in enumerate(["cat", "dog", "dog"]):
            studio.annotate(1, choice, user, ground_truth=choice == "cat")
        assert labels(load()) == {1: "cat"}

    def test_one_annotator_has_one_voice_the_latest(self, studio, load):
        studio.annotate(1, "dog", 2)
        first = studio.annotate(1, "cat", 1)
        studio.annotate(1, "cat", 1)
        assert labels(load()) == {}
        studio.update(first, "dog")
        assert labels(load()) == {1: "dog"}

    def test_skips_and_empty_submits_have_no_voice(self, studio, load):
        studio.skip(1, user=2)
        studio.annotate(1, None, user=3)
        studio.annotate(1, "cat", user=4)
        assert labels(load()) == {1: "cat"}

    def test_labels_that_the_config_no_longer_has(self, studio, load):
        for user in (1, 2, 3):
            studio.annotate(1, "horse", user)
        studio.annotate(2, "cat")
        assert labels(load()) == {2: "cat"}

    def test_other_controls(self, studio, load):
        _, row = studio._find(studio.annotate(1, "cat"))
        row["result"][0]["from_name"] = "mood"
        assert labels(load()) == {}


class TestThePool:
    def test_lists_tasks_by_id_with_classes_of_the_config(self, studio, load):
        data = load()
        assert data.pool.ids.tolist() == [1, 2, 3, 4, 5, 6]
        assert data.pool.classes == ("cat", "dog")
        assert data.pool.y.tolist() == [UNLABELED] * 6
        assert data.pool.X.shape[0] == 6
        assert (data.labels, data.askable, data.annotators) == (0, 6, 0)
        assert "needs at least 2 labels in 2 classes" in data.lacking

    def test_of_an_empty_project(self, tmp_path):
        with open_mirror(tmp_path) as mirror:
            sync_of(SimulatedLabelStudio(), mirror).run()
            data = load_from(mirror, skip_queue="")
        assert (data.labels, data.askable) == (0, 0)
        assert "needs at least 2 labels" in data.lacking

    def test_a_half_labelled_task_waits_and_teaches(self, studio, load):
        studio.annotate(1, "cat", 1)
        data = load()
        assert labels(data) == {1: "cat"}
        assert data.pool.serving[0] == Serving.YES
        assert not data.pool.resolved[0]

    @pytest.mark.parametrize(
        ("skip_queue", "serving"),
        [
            ("REQUEUE_FOR_ME", Serving.LAST),
            ("REQUEUE_FOR_OTHERS", Serving.LAST),
            ("IGNORE_SKIPPED", Serving.NO),
        ],
    )
    def test_skipped_tasks_come_last_or_never(self, studio, load, skip_queue, serving):
        studio.skip(2)
        data = load(skip_queue=skip_queue)
        assert data.pool.serving.tolist() == [Serving.YES, serving] + [Serving.YES] * 4
        assert data.pool.resolved.tolist() == [False, True] + [False] * 4

    def test_done_tasks_are_not_served(self, studio, load):
        for user in (1, 2, 3):
            studio.annotate(4, "dog", user)
        data = load()
        assert data.pool.serving[3] == Serving.NO
        assert data.pool.resolved[3]
        assert data.askable == 5

    def test_annotations_of_deleted_tasks_do_no_harm(self, studio, load):
        studio.annotate(6, "cat")
        load()
        studio.delete_task(6)
        assert labels(load()) == {}


class TestTheDigest:
    def test_changes_with_labels_and_classes_only(self, studio, load):
        digests = [load().digest]
        annotation = studio.annotate(1, "cat")
        digests.append(load().digest)
        studio.update(annotation, "dog")
        digests.append(load().digest)
        studio.annotate(2, "cat")
        digests.append(load().digest)
        config = CONFIG.replace("</Choices>", '<Choice value="horse"/></Choices>')
        wider = make_plan(label_config.parse(config))
        digests.append(load(plan=wider).digest)
        assert len(set(digests)) == 5

    def test_stays_when_nothing_is_learned_from_what_changed(self, studio, load):
        studio.annotate(1, "cat", 1)
        before = load().digest
        studio.annotate(1, "cat", 2)
        studio.skip(3)
        studio.edit_task(4, "edited")
        studio.add_tasks(["new"])
        assert load().digest == before
