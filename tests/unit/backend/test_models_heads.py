"""One version holds a model a control; what cannot be fitted yet is no obstacle to the rest."""

from __future__ import annotations

import numpy as np
import pytest

from active_learning.errors import NotEnoughLabels
from active_learning.types import Answer, Kind, Pool, Units
from ls_active.labeling import label_config
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.plan import make_plan
from ls_active.loop.appraisal import Appraisal
from ls_active.loop.consensus import encode
from ls_active.loop.dataset import Dataset
from ls_active.loop.models import ModelShelf
from tests.harness.rig import TEXTS
from tests.harness.simulated_project import UID

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="cat"/><Choice value="dog"/></Choices>'
    '<Choices name="mood" toName="text" choice="multiple">'
    '<Choice value="calm"/><Choice value="glad"/></Choices><Number name="age" toName="text"/>'
    '<Labels name="who" toName="text"><Label value="Pet"/></Labels></View>'
)
ONE_TWO = '<Choice value="1"/><Choice value="2"/>'
N = len(TEXTS)
KINDS = (Kind.SINGLE, Kind.MULTIPLE, Kind.NUMBER, Kind.SEQUENCE)


pytestmark = pytest.mark.usefixtures("words")


@pytest.fixture
def plan():
    return make_plan(label_config.parse(CONFIG))


@pytest.fixture
def shelf(store):
    return ModelShelf(store, UID)


def right(kind: Kind, row: int) -> Answer:
    """The right answer for one of the texts."""
    cat = "cat" in TEXTS[row]
    if kind is Kind.SINGLE:
        return "cat" if cat else "dog"
    if kind is Kind.MULTIPLE:
        return frozenset({"glad"} if cat else {"glad", "calm"})
    if kind is Kind.NUMBER:
        return float(cat)
    return tuple("Pet" if word in ("cat", "dog") else None for word in TEXTS[row].split())


@pytest.fixture
def data_of(plan):
    """A data set of which each head has so many labels."""
    read = Inputs(plan).read([{"data": {"text": text}} for text in TEXTS[:N]])
    [cut] = read.units
    starts = np.concatenate([[0], np.cumsum([len(rows.X) for rows in cut])]).astype(np.int64)
    units = Units(np.vstack([rows.X for rows in cut]), starts)

    def make(*labels: int) -> Dataset:
        pools = []
        for head, kind, n in zip(plan.heads, KINDS, labels, strict=True):
            assert head.kind is kind
            answers = {row: right(kind, row) for row in range(n)}
            sequence = kind is Kind.SEQUENCE
            pools.append(
                Pool(
                    ids=np.arange(1, N + 1),
                    X=read.X,
                    y=encode(kind, answers, N, head.classes, starts if sequence else None),
                    serving=np.zeros(N, dtype=np.int8),
                    resolved=np.arange(N) < n,
                    u=np.arange(N, dtype=np.uint64),
                    classes=head.classes,
                    kind=kind,
                    units=units if sequence else None,
                )
            )
        return Dataset(tuple(pools), plan.signature, str(labels), annotators=1, tied=0)

    return make


def verdicts(version, data: Dataset) -> list:
    """What each model says of every task."""
    every = np.arange(N)
    found = []
    for model, pool in zip(version.models, data.pools, strict=True):
        if model is None:
            found.append(None)
        elif pool.units is None:
            found.append(model.predict(pool.X).verdicts(every))
        else:
            found.append(model.predict(pool.units.X, pool.units.starts).verdicts(every))
    return found


class TestFitting:
    def test_all_of_them_come_back_as_they_were(self, shelf, store, plan, data_of):
        data = data_of(24, 24, 24, 24)
        version = shelf.fit(data, plan, 0, "margin")
        again = ModelShelf(store, UID).current()
        assert all(model is not None for model in again.models)
        assert verdicts(again, data) == verdicts(version, data)
        assert [head["control"] for head in again.manifest["heads"]] == [
            "topic",
            "mood",
            "age",
            "who",
        ]
        assert again.answers(plan)

    def test_they_learn_what_annotators_said(self, shelf, plan, data_of):
        data = data_of(24, 24, 24, 24)
        topic, mood, age, who = verdicts(shelf.fit(data, plan, 0, "margin"), data)
        for said, kind in ((topic, KINDS[0]), (mood, KINDS[1])):
            assert [verdict.answer for verdict in said] == [right(kind, row) for row in range(N)]
        assert [round(verdict.answer) for verdict in age] == [right(KINDS[2], r) for r in range(N)]
        # The features of a word say nothing of words that were not seen, as numbers are.
        said = [name for verdict in who for name in verdict.answer]
        truth = [name for row in range(N) for name in right(KINDS[3], row)]
        assert np.mean([a == b for a, b in zip(said, truth, strict=True)]) > 0.95

    def test_without_those_that_lack_labels(self, shelf, store, plan, data_of):
        data = data_of(1, 12, 0, 2)
        shelf.fit(data, plan, 0, "margin")
        again = ModelShelf(store, UID).current()
        assert [model is not None for model in again.models] == [False, True, False, True]
        heads = again.manifest["heads"]
        assert [head["fitted"] for head in heads] == [False, True, False, True]
        assert [head["labels"] for head in heads] == [1, 12, 0, 2]
        assert (heads[0]["chosen"], again.useful[0]) == (None, False)
        assert again.answers(plan)
        assert [said is None for said in verdicts(again, data)] == [True, False, True, False]

    def test_that_lacked_labels_and_have_them_now(self, shelf, plan, data_of):
        shelf.fit(data_of(1, 12, 0, 0), plan, 0, "margin")
        version = shelf.fit(data_of(24, 12, 12, 0), plan, 0, "margin")
        assert [model is not None for model in version.models] == [True, True, True, False]

    def test_none_can_be_fitted_is_an_error_and_no_version(self, shelf, store, plan, data_of):
        with pytest.raises(NotEnoughLabels, match="classes"):
            shelf.fit(data_of(1, 1, 1, 1), plan, 0, "margin")
        assert store.versions(UID) == []

    def test_useful_is_each_by_itself(self, shelf, plan, data_of):
        version = shelf.fit(data_of(24, 4, 0, 0), plan, 0, "margin")
        assert version.useful == (True, False, False, False)

    def test_one_damaged_model_makes_the_version_unusable(self, shelf, store, plan, data_of):
        data = data_of(12, 12, 0, 0)
        version = shelf.fit(data, plan, 0, "margin")
        arrays = store.arrays(UID, version.number)
        assert {name.partition(".")[0] for name in arrays} == {"0", "1"}
        rest = {name: array for name, array in arrays.items() if not name.startswith("1.")}
        store.save_version(UID, store.claim_version(UID), rest, version.manifest)
        assert ModelShelf(store, UID).load(version.number + 1) is None


class TestAnswering:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('value="cat"', 'value="horse"'),
            ('name="mood"', 'name="moods"'),
            ('choice="multiple"', 'choice="single"'),
            ("<Number", f'<Choices name="more" toName="text">{ONE_TWO}</Choices><Number'),
            ("$text", "$title"),
        ],
        ids=["a class", "a control", "a kind", "one more", "a field"],
    )
    def test_is_not_for_another_label_config(self, shelf, plan, data_of, old, new):
        version = shelf.fit(data_of(12, 12, 12, 0), plan, 0, "margin")
        other = make_plan(label_config.parse(CONFIG.replace(old, new)))
        assert not version.answers(other)

    def test_is_for_the_same_controls_worded_otherwise(self, shelf, plan, data_of):
        version = shelf.fit(data_of(12, 12, 12, 0), plan, 0, "margin")
        worded = CONFIG.replace("<View>", '<View><Header value="What is it?"/>')
        assert version.answers(make_plan(label_config.parse(worded)))


def test_every_head_has_an_estimate_of_its_own(shelf, store, plan, data_of):
    data = data_of(16, 3, 0, 0)
    version = shelf.fit(data, plan, 0, "margin")
    evaluation = Appraisal(store, UID).make(version, data, 0, ())
    assert [audit["labels"] for audit in evaluation["audits"]] == [16, 3, 0, 0]
