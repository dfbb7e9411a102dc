"""One small project for each kind of label config: its tasks, and what is right about each."""

from __future__ import annotations

import io
import random
import re
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
from PIL import Image
from sklearn.datasets import load_diabetes, load_digits, load_wine

from ls_active.label_studio.client import LabelStudioClient, Task
from tests.harness.data import CLASSES, bbc, short_texts

Result = list[dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """A project of one kind.

    Attributes
    ----------
    name : str
    config : str
        Its label config.
    tasks : sequence
        The data of each task; or a file (name, content) that is uploaded.
    answer : callable
        ``answer(index)`` is the right result for task `index`.
    labels : int
        How many to label.
    """

    name: str
    config: str
    tasks: Sequence[dict[str, Any] | tuple[str, bytes]]
    answer: Callable[[int], Result]
    labels: int = 12

    def fill(self, client: LabelStudioClient, project: int) -> dict[int, Result]:
        """Import the tasks and return the right result of each, by id."""
        if isinstance(self.tasks[0], dict):
            ids = client.import_tasks(project, [t for t in self.tasks if isinstance(t, dict)])
            return {task: self.answer(index) for index, task in enumerate(ids)}
        files = [task for task in self.tasks if isinstance(task, tuple)]
        upload(client, project, files)
        by_name = {name: self.answer(index) for index, (name, _) in enumerate(files)}
        found = [task for page in client.tasks(project) for task in page]
        return {task["id"]: by_name[file_name(task)] for task in found}


def upload(client: LabelStudioClient, project: int, files: Sequence[tuple[str, bytes]]) -> None:
    """Upload files, one task each."""
    response = httpx.post(
        f"{client.url}/api/projects/{project}/import",
        headers=client.http.authorization(),
        files=[(name, (name, content)) for name, content in files],
        timeout=60,
    )
    assert response.is_success, response.text


def file_name(task: Task) -> str:
    """Return the name that the file of a task had before it was uploaded."""
    [value] = [value for value in task["data"].values() if "/data/upload/" in str(value)]
    return re.sub(r"^[0-9a-f]{8}-", "", Path(unquote(value)).name)


def region(control: str, shown: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return one region as the page would write it."""
    return {"from_name": control, "to_name": shown, "type": kind, "value": value}


def choice(control: str, shown: str, *names: str) -> Result:
    """Return the result of a `Choices`."""
    return [region(control, shown, "choices", {"choices": list(names)})]


def _choices(name: str, shown: str, classes: Sequence[str], mode: str = "single") -> str:
    inner = "".join(f'<Choice value="{value}"/>' for value in classes)
    return f'<Choices name="{name}" toName="{shown}" choice="{mode}">{inner}</Choices>'


def _texts(n: int) -> list[tuple[str, str]]:
    return [(text[:600], label) for text, label in bbc()[:n]]


def text_single() -> Kind:
    """A topic for each article."""
    texts = _texts(60)
    return Kind(
        "text-single",
        f'<View><Text name="text" value="$text"/>{_choices("topic", "text", CLASSES)}</View>',
        [{"text": text} for text, _ in texts],
        lambda index: choice("topic", "text", texts[index][1]),
    )


def text_multiple() -> Kind:
    """Any number of topics: of two articles, one after the other."""
    texts = _texts(120)
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    return Kind(
        "text-multiple",
        '<View><Text name="text" value="$text"/>'
        f"{_choices('topic', 'text', CLASSES, 'multiple')}</View>",
        [{"text": f"{a[0]}\n{b[0]}"} for a, b in pairs],
        lambda index: choice("topic", "text", *sorted({label for _, label in pairs[index]})),
        labels=16,
    )


def image() -> Kind:
    """Uploaded pictures of handwritten digits: three or not."""
    digits = load_digits()
    rows = [i for i in range(400) if digits.target[i] in (1, 3)][:60]
    files = []
    for row in rows:
        pixels = np.kron(255 - digits.images[row] * 15.9, np.ones((8, 8))).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        files.append((f"digit-{row}.png", buffer.getvalue()))
    return Kind(
        "image",
        f'<View><Image name="image" value="$image"/>'
        f"{_choices('digit', 'image', ('one', 'three'))}</View>",
        files,
        lambda i: choice("digit", "image", "one" if digits.target[rows[i]] == 1 else "three"),
    )


def _sound(pitch: float, seed: int, seconds: float = 1.0) -> bytes:
    rng = np.random.default_rng(seed)
    times = np.arange(int(16_000 * seconds)) / 16_000
    tone = np.sin(2 * np.pi * pitch * times) * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * times))
    samples = (9_000 * (tone + 0.2 * rng.normal(size=len(times)))).astype(np.int16)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def audio() -> Kind:
    """Uploaded sounds: low or high."""
    pitches = [random.Random(i).choice((220.0, 880.0)) for i in range(40)]
    return Kind(
        "audio",
        f'<View><Audio name="audio" value="$audio"/>'
        f"{_choices('pitch', 'audio', ('low', 'high'))}</View>",
        [(f"sound-{i}.wav", _sound(pitch, i)) for i, pitch in enumerate(pitches)],
        lambda index: choice("pitch", "audio", "low" if pitches[index] < 500 else "high"),
    )


NAMES = ("Ada Lovelace", "Alan Turing", "Grace Hopper", "Kurt Gödel", "Emmy Noether 🎓")
PLACES = ("Paris", "London", "Göttingen", "Rio de Janeiro", "नई दिल्ली")


def ner() -> Kind:
    """Names and places in sentences of news, some of them beyond the first 65,536 characters."""
    rng = random.Random(0)
    tasks, results = [], []
    for sentence, _ in short_texts(60, seed=4):
        name, place = rng.choice(NAMES), rng.choice(PLACES)
        text = f"😀 {name} went to {place}. {sentence}"
        tasks.append({"text": text})
        results.append([_span(text, name, "PER"), _span(text, place, "LOC")])
    return Kind(
        "ner",
        '<View><Labels name="ner" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>'
        '<Text name="text" value="$text"/></View>',
        tasks,
        lambda index: results[index],
    )


def _span(text: str, part: str, label: str) -> dict[str, Any]:
    start = text.index(part)
    value = {"start": start, "end": start + len(part), "text": part, "labels": [label]}
    return region("ner", "text", "labels", value)


def time_series() -> Kind:
    """Waves: round or square."""
    shapes = [random.Random(i).choice(("round", "square")) for i in range(50)]

    def series(index: int) -> dict[str, Any]:
        rng = np.random.default_rng(index)
        wave_ = np.sin(np.arange(120) * rng.uniform(0.15, 0.3) + rng.uniform(0, 6))
        values = np.sign(wave_) if shapes[index] == "square" else wave_
        values = values + rng.normal(scale=0.15, size=120)
        return {"series": {"time": list(range(120)), "a": [round(v, 4) for v in values.tolist()]}}

    return Kind(
        "time-series",
        '<View><TimeSeries name="ts" value="$series" timeColumn="time"><Channel column="a"/>'
        f"</TimeSeries>{_choices('shape', 'ts', ('round', 'square'))}</View>",
        [series(index) for index in range(50)],
        lambda index: choice("shape", "ts", shapes[index]),
    )


def numeric() -> Kind:
    """Wines by their analysis."""
    wine = load_wine()
    rows = np.random.default_rng(0).permutation(len(wine.target))[:80].tolist()
    names = tuple(str(name) for name in wine.target_names)
    return Kind(
        "numeric-fields",
        f'<View><Table name="row" value="$row"/>{_choices("wine", "row", names)}</View>',
        [{"row": dict(zip(wine.feature_names, wine.data[r].tolist(), strict=True))} for r in rows],
        lambda index: choice("wine", "row", names[wine.target[rows[index]]]),
    )


def rating() -> Kind:
    """Stars for articles, by topic."""
    texts = _texts(60)
    return Kind(
        "rating",
        '<View><Text name="text" value="$text"/><Rating name="stars" toName="text"/></View>',
        [{"text": text} for text, _ in texts],
        lambda i: [region("stars", "text", "rating", {"rating": CLASSES.index(texts[i][1]) + 1})],
    )


def number() -> Kind:
    """How far diabetes went within a year."""
    data = load_diabetes()
    return Kind(
        "number",
        '<View><Table name="row" value="$row"/><Number name="course" toName="row" min="0"/></View>',
        [
            {"row": dict(zip(data.feature_names, data.data[row].tolist(), strict=True))}
            for row in range(80)
        ],
        lambda i: [region("course", "row", "number", {"number": float(data.target[i])})],
        labels=16,
    )


def pairwise() -> Kind:
    """Which of two articles is about sports."""
    texts = bbc()
    sports = [text[:400] for text, label in texts if label == "sports"][:60]
    others = [text[:400] for text, label in texts if label != "sports"][:60]
    left = [random.Random(i).random() < 0.5 for i in range(60)]

    def pair(i: int) -> dict[str, Any]:
        both = (sports[i], others[i]) if left[i] else (others[i], sports[i])
        return dict(zip(("a", "b"), both, strict=True))

    return Kind(
        "pairwise",
        '<View><Pairwise name="better" toName="a,b"/><Text name="a" value="$a"/>'
        '<Text name="b" value="$b"/></View>',
        [pair(i) for i in range(60)],
        lambda i: [
            region("better", "a,b", "pairwise", {"selected": "left" if left[i] else "right"})
        ],
    )


def two_controls() -> Kind:
    """A topic and stars for each article, and a comment that is not learned."""
    texts = _texts(60)
    return Kind(
        "two-controls",
        f'<View><Text name="text" value="$text"/>{_choices("topic", "text", CLASSES)}'
        '<Rating name="stars" toName="text" maxRating="3"/>'
        '<TextArea name="comment" toName="text"/></View>',
        [{"text": text} for text, _ in texts],
        lambda i: [
            *choice("topic", "text", texts[i][1]),
            region("stars", "text", "rating", {"rating": 3 if texts[i][1] == "sports" else 1}),
        ],
    )


ALL = (
    text_single, text_multiple, image, audio, ner, time_series, numeric, rating, number, pairwise,
    two_controls,
)  # fmt: skip
