"""Every object tag beside every control tag: a small project of each, with what is right.

A cell of the README's table is one object and one control. Half of the tasks of a project are of
one class and half of the other, and every control asks for something that the class decides.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

Span = tuple[float, float, str]
Values = Callable[[int, int], Any]


@dataclass(frozen=True)
class Shown:
    """One object tag.

    Attributes
    ----------
    xml : str
        With ``{name}`` for its name and field.
    value : callable
        ``value(kind, number)`` is the value of a task of class 0 or 1.
    spans : callable
        ``spans(value, kind)`` is where `Label` 1 or 2 lies in it, where units can be cut.
    """

    xml: str
    value: Values
    spans: Callable[[Any, int], Sequence[Span]] = field(default=lambda value, kind: ())


@dataclass(frozen=True)
class Asked:
    """One control tag.

    Attributes
    ----------
    xml : str
        With ``{name}`` for its own name.
    region : str
        The type of its regions.
    answer : callable
        ``answer(kind)`` is the `value` of the right region.
    units : bool
        Whether it has a region a span of the object instead.
    """

    xml: str
    region: str
    answer: Callable[[int], dict[str, Any]] = field(default=lambda kind: {})
    units: bool = False


ANIMALS, SAYS = ("cat", "dog"), ("purrs and meows", "barks and growls")
LABELS = '<Label value="1"/><Label value="2"/>'
CHOICES = '<Choice value="1"/><Choice value="2"/>'


def text(kind: int, number: int) -> str:
    """Return a text that says its class, and something else in between."""
    filler = ("at home", "in the garden", "all day", "now and then", "on the roof")
    return f"the {ANIMALS[kind]} {SAYS[kind]} {filler[number % 5]} number {number}"


def word(value: str, kind: int) -> list[Span]:
    """Return where the animal stands in a text."""
    start = value.index(ANIMALS[kind])
    return [(start, start + 3, str(kind + 1))]


def image(kind: int, number: int) -> str:
    """Return a dark or a light picture."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 90, size=(40, 48, 3)) + (150 if kind else 10)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return _data_url("image/png", buffer.getvalue())


def sound(kind: int, number: int) -> str:
    """Return one second of a low or a high tone, then one of hush."""
    rng, rate = np.random.default_rng(number), 16_000
    times = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * (1760 if kind else 220) * times) + 0.1 * rng.normal(size=rate)
    samples = np.concatenate([9_000 * tone, 30 * rng.normal(size=rate)]).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return _data_url("audio/wav", buffer.getvalue())


def series(kind: int, number: int) -> dict[str, list[float]]:
    """Return a slow or a fast wave, then quiet."""
    rng = np.random.default_rng(number)
    y = np.where(np.arange(200) < 100, np.sin(np.arange(200) * (0.8 if kind else 0.1)), 0.0)
    noisy = y + rng.normal(scale=0.05, size=200)
    return {"time": list(range(200)), "y": [round(each, 4) for each in noisy.tolist()]}


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _row(kind: int, number: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    return {"size": 5.0 * kind + rng.normal(), "age": rng.normal(), "home": ANIMALS[kind]}


def _dialogue(kind: int, number: int) -> list[dict[str, str]]:
    return [{"author": "Ada", "text": "Well?"}, {"author": "Kurt", "text": text(kind, number)}]


OBJECTS: Mapping[str, Shown] = {
    "Text": Shown('<Text name="{name}" value="${name}"/>', text, word),
    "HyperText": Shown(
        '<HyperText name="{name}" value="${name}"/>',
        lambda kind, number: f"<p>{text(kind, number)}</p>",
    ),
    "Paragraphs": Shown(
        '<Paragraphs name="{name}" value="${name}" nameKey="author" textKey="text"/>', _dialogue
    ),
    "Image": Shown('<Image name="{name}" value="${name}"/>', image),
    "Audio": Shown(
        '<Audio name="{name}" value="${name}"/>',
        sound,
        lambda value, kind: [(0.0, 1.0, str(kind + 1))],
    ),
    "TimeSeries": Shown(
        '<TimeSeries name="{name}" value="${name}" valueType="json" timeColumn="time">'
        '<Channel column="y"/></TimeSeries>',
        series,
        lambda value, kind: [(0, 99, str(kind + 1))],
    ),
    "Table": Shown('<Table name="{name}" value="${name}"/>', _row),
}

CONTROLS: Mapping[str, Asked] = {
    "Choices": Asked(
        f'<Choices name="{{name}}" toName="shown">{CHOICES}</Choices>',
        "choices",
        lambda kind: {"choices": [str(kind + 1)]},
    ),
    "Taxonomy": Asked(
        '<Taxonomy name="{name}" toName="shown" maxUsages="1"><Choice value="Animal">'
        f"{CHOICES}</Choice></Taxonomy>",
        "taxonomy",
        lambda kind: {"taxonomy": [["Animal", str(kind + 1)]]},
    ),
    "Rating": Asked(
        '<Rating name="{name}" toName="shown"/>', "rating", lambda kind: {"rating": 2 + 2 * kind}
    ),
    "Number": Asked(
        '<Number name="{name}" toName="shown" min="0" max="10"/>',
        "number",
        lambda kind: {"number": 2.0 + 5 * kind},
    ),
    "Pairwise": Asked(
        '<Pairwise name="{name}" toName="shown,other"/>',
        "pairwise",
        lambda kind: {"selected": ("left", "right")[kind]},
    ),
    "Labels": Asked(
        f'<Labels name="{{name}}" toName="shown">{LABELS}</Labels>', "labels", units=True
    ),
    "TimeSeriesLabels": Asked(
        f'<TimeSeriesLabels name="{{name}}" toName="shown">{LABELS}</TimeSeriesLabels>',
        "timeserieslabels",
        units=True,
    ),
}


def config_of(shown: str, *asked: str) -> str:
    """Return the label config of an object and some controls, each named for its tag."""
    objects = [OBJECTS[shown].xml.format(name="shown")]
    if "Pairwise" in asked:
        objects.append(OBJECTS[shown].xml.format(name="other"))
    controls = [CONTROLS[name].xml.format(name=name.lower()) for name in asked]
    return f"<View>{''.join(objects)}{''.join(controls)}</View>"


def data_of(shown: str, kind: int, number: int) -> dict[str, Any]:
    """Return the data of a task of class 0 or 1; `other` is of the other class."""
    value = OBJECTS[shown].value
    return {"shown": value(kind, number), "other": value(1 - kind, number + 1000)}


def result_of(shown: str, asked: Sequence[str], data: Mapping[str, Any], kind: int) -> list[Any]:
    """Return the right result of a task."""
    regions = []
    for name in asked:
        control = CONTROLS[name]
        values = [control.answer(kind)]
        if control.units:
            values = [
                {"start": start, "end": end, control.region: [label]}
                for start, end, label in OBJECTS[shown].spans(data["shown"], kind)
            ]
        one = {"from_name": name.lower(), "to_name": "shown", "type": control.region}
        regions += [one | {"value": value} for value in values]
    return regions
