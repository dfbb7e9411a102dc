"""A queue of several controls: each answer is shown once its own model is useful."""

from __future__ import annotations

import numpy as np
import pytest

from active_learning.outcomes import Queue, Verdict
from active_learning.types import Reason
from ls_active.labeling import label_config
from ls_active.labeling.layout import Layout
from ls_active.labeling.plan import Plan, make_plan
from ls_active.loop.publication import Publisher, items, unasked
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="cat"/><Choice value="dog"/></Choices>'
    '<Choices name="mood" toName="text" choice="multiple">'
    '<Choice value="calm"/><Choice value="glad"/><Choice value="wild"/></Choices>'
    '<Labels name="who" toName="text"><Label value="Pet"/></Labels></View>'
)
LAYOUTS = {5: Layout(((0, 2), (3, 6)), "my cat"), 3: Layout(((0, 3),), "dog")}
TOPICS = (Verdict("dog", 0.6, (0.6,)), Verdict("cat", 0.9, (0.9,)))
MOODS = (
    Verdict(frozenset({"glad", "wild"}), 0.8, (0.1, 0.8, 0.9)),
    Verdict(frozenset(), 0.4, (0.1, 0.2, 0.3)),
)
SPANS = (Verdict((None, "Pet"), 0.7, (0.9, 0.7)), Verdict(("Pet",), 0.2, (0.5,)))


pytestmark = pytest.mark.usefixtures("words")


@pytest.fixture
def plan():
    return make_plan(label_config.parse(CONFIG))


def layout(place: int, task: int) -> Layout:
    assert place == 0
    return LAYOUTS[task]


def queue(*verdicts: object) -> Queue:
    return Queue(
        ids=np.array([5, 3]),
        rows=np.array([2, 1]),
        scores=np.array([0.9, 0.1]),
        reasons=(Reason.STRATEGY, Reason.AUDIT),
        verdicts=verdicts,
    )


def controls(regions: list[dict]) -> list[str]:
    return [region["from_name"] for region in regions]


class TestItems:
    def test_hold_what_every_model_answers(self, plan):
        first, second = items(
            queue(TOPICS, MOODS, SPANS),
            plan,
            prelabels="never",
            useful=(True,) * 3,
            layout=layout,
        )
        assert controls(first.prediction) == ["topic", "mood", "who"]
        assert first.prediction[1]["value"] == {"choices": ["glad", "wild"]}
        assert first.prediction[2]["value"]["text"] == "cat"
        # Of the second one no mood is believed.
        assert controls(second.prediction) == ["topic", "who"]
        assert (first.result, second.result) == ([], [])

    def test_are_as_sure_as_their_models_on_average(self, plan):
        two = queue(TOPICS, MOODS, None)
        made = items(two, plan, prelabels="auto", useful=(False,) * 3, layout=layout)
        assert [item.confidence for item in made] == pytest.approx([0.7, 0.65])

    @pytest.mark.parametrize(
        ("useful", "shown"),
        [
            ((True, True, True), ["topic", "mood", "who"]),
            ((True, False, False), ["topic"]),
            ((False, True, False), ["mood"]),
            ((False, False, True), ["who"]),
            ((False, False, False), []),
        ],
    )
    def test_show_each_answer_once_its_own_model_is_useful(self, plan, useful, shown):
        whole = queue(TOPICS, MOODS, SPANS)
        first, audited = items(whole, plan, prelabels="auto", useful=useful, layout=layout)
        assert controls(first.result) == shown
        # What is asked to find out how good we are shows nothing of any model.
        assert audited.result == []

    def test_show_all_where_the_project_says_so(self, plan):
        useful = (False, False, False)
        whole = queue(TOPICS, MOODS, SPANS)
        made = items(whole, plan, prelabels="always", useful=useful, layout=layout)
        assert [controls(item.result) for item in made] == [
            ["topic", "mood", "who"],
            ["topic", "who"],
        ]

    def test_say_nothing_for_a_control_without_a_model(self, plan):
        some = queue(None, MOODS, None)
        first, _ = items(some, plan, prelabels="always", useful=(False,) * 3, layout=layout)
        assert controls(first.prediction) == controls(first.result) == ["mood"]
        assert first.confidence == 0.8

    def test_before_any_model_are_as_sure_as_a_guess(self, plan):
        none = queue(None, None, None)
        made = items(none, plan, prelabels="always", useful=(), layout=layout)
        assert [(item.prediction, item.result) for item in made] == [([], [])] * 2
        assert [item.confidence for item in made] == [1 / 3] * 2
        assert unasked(1, Reason.AUDIT, Plan()).confidence == 0.5


def test_all_answers_are_published_together(tmp_path, plan):
    studio = SimulatedLabelStudio(TEXTS[:8], label_config=CONFIG)
    rig = Rig(tmp_path, studio)
    useful = (True, True, True)
    content = items(
        queue(TOPICS, MOODS, SPANS), plan, prelabels="auto", useful=useful, layout=layout
    )
    config = label_config.parse(CONFIG)
    record = Publisher(rig.shop()).publish(1, content, config, provisional=False, labels=0)
    sent = {row["task"]: controls(row["result"]) for row in studio.predictions}
    assert sent == {5: ["topic", "mood", "who"], 3: []}
    assert [controls(regions) for regions in record["predictions"]] == [
        ["topic", "mood", "who"],
        ["topic", "who"],
    ]
    assert record["shown"] == [True, False]
