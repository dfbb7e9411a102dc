"""A project that asks everything that is learned, and the right answer to each of its tasks."""

from __future__ import annotations

from typing import Any

from ls_active.labeling import label_config
from ls_active.labeling.plan import make_plan
from tests.harness.kinds import Result, region
from tests.harness.rig import TEXTS

ANIMALS = ("cat", "dog")
_CHOICES = '<Choice value="cat"/><Choice value="dog"/>'
_TREE = f'<Choice value="pet">{_CHOICES}</Choice>'
_LABELS = '<Label value="cat"/><Label value="dog"/>'
EVERYTHING = f"""<View>
<Text name="text" value="$text"/><Text name="other" value="$other"/>
<TimeSeries name="series" value="$series" valueType="json" timeColumn="time">
<Channel column="a"/></TimeSeries>
<Choices name="one" toName="text">{_CHOICES}</Choices>
<Choices name="many" toName="text" choice="multiple">{_CHOICES}</Choices>
<Taxonomy name="path" toName="text" maxUsages="1">{_TREE}</Taxonomy>
<Taxonomy name="paths" toName="text">{_TREE}</Taxonomy>
<Rating name="stars" toName="text"/>
<Number name="size" toName="text"/>
<Pairwise name="better" toName="text,other"/>
<Labels name="spans" toName="text">{_LABELS}</Labels>
<TimeSeriesLabels name="parts" toName="series">{_LABELS}</TimeSeriesLabels>
</View>"""

PLAN = make_plan(label_config.parse(EVERYTHING))


def data_of(number: int) -> dict[str, Any]:
    """Return the data of a task: cats and dogs in turn, their series slow and fast."""
    values = [(step * (1 + number % 2) + number) % 7 for step in range(60)]
    series = {"time": list(range(60)), "a": values}
    return {"text": TEXTS[number], "other": TEXTS[-1 - number], "series": series}


def answer_to(number: int) -> Result:
    """Return what is right about a task, one region a control."""
    animal, start = ANIMALS[number % 2], TEXTS[number].index(ANIMALS[number % 2])
    span = {"start": start, "end": start + 3, "text": animal, "labels": [animal]}
    part = {"start": number, "end": number + 20, "instant": False, "timeserieslabels": [animal]}
    return [
        region("one", "text", "choices", {"choices": [animal]}),
        region("many", "text", "choices", {"choices": [animal]}),
        region("path", "text", "taxonomy", {"taxonomy": [["pet", animal]]}),
        region("paths", "text", "taxonomy", {"taxonomy": [["pet"], ["pet", animal]]}),
        region("stars", "text", "rating", {"rating": 1 + number % 2}),
        region("size", "text", "number", {"number": number}),
        region("better", "text", "pairwise", {"selected": ("left", "right")[number % 2]}),
        region("spans", "text", "labels", span),
        region("parts", "series", "timeserieslabels", part),
    ]
