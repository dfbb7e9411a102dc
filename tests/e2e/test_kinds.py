"""Every kind of label config, through webhook and queue: labels move the queue."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness import kinds
from tests.harness.case import Case
from tests.harness.kinds import Kind

QUICK = (kinds.image, kinds.ner)
"""What runs each time: files, and spans; the others are slow ones."""

CASES = [
    pytest.param(make, marks=() if make in QUICK else pytest.mark.slow, id=make.__name__)
    for make in kinds.ALL
]


@pytest.mark.parametrize("make", CASES)
def test_labels_reorder_the_queue(make: Callable[[], Kind], make_case):
    kind = make()
    case: Case = make_case(texts=0, label_config=kind.config)
    answers = kind.fill(case.client, case.id)
    status = case.connect(min_interval=0, busy_share=1, prelabels="always")
    assert not status.unreadable
    first = case.queue()
    assert len(first["tasks"]) == len(kind.tasks)
    annotator = case.annotator()
    labeled: set[int] = set()
    for _ in range(kind.labels):
        task = annotator.next()
        assert task is not None
        case.client.annotate(task["id"], answers[task["id"]], project=case.id)
        labeled.add(task["id"])
    case.wait_until(lambda: _learned(case) == kind.labels)
    status = case.wait_for(lambda status: status.version == case.versions[-1])
    case.wait_until(lambda: case.in_force(case.versions[-1]))
    record = case.queue()
    before = [task for task in first["tasks"] if task in set(record["tasks"])]
    assert [task for task in record["tasks"] if task in set(before)] != before, "the same order"
    # What Label Studio holds is what we sent, and it is served in our order.
    assert case.predictions[record["name"]] == len(record["tasks"])
    served = annotator.next()
    assert served is not None
    assert served["id"] == next(task for task in record["tasks"] if task not in labeled)
    shown = [regions for regions in record["predictions"] if regions]
    assert shown, "no prediction says anything"
    controls = {region["from_name"] for regions in shown for region in regions}
    assert controls <= {head["control"] for head in status.heads}


def _learned(case: Case) -> int:
    """Return how many labels the newest version was fitted on."""
    return case.stack.store.manifest(case.uid, case.versions[-1])["labels"] if case.versions else 0
