"""What a plain solution of each kind does on the same values."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pycrfsuite
import soundfile
from PIL import Image
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MultiLabelBinarizer, StandardScaler

from active_learning.types import Kind
from ls_active.labeling.layout import Layout
from tests.bench.data_sets import DataSet

Reference = Callable[[list[Any], list[Any], list[Any], Sequence[Layout]], list[Any]]
"""``reference(values, answers, new values, layouts of all)`` returns the new values' answers."""


def of(data: DataSet) -> tuple[Reference, str]:
    """Return the reference for a set, and its name."""
    if data.kind is Kind.SEQUENCE:
        return _crf, "CRF on the same tokens"
    rows, name = _ROWS[data.tag]
    if data.kind is Kind.NUMBER:
        return _number(make_pipeline(rows(), RidgeCV(np.logspace(-3, 3, 13)))), f"{name} + ridge"
    head = LogisticRegression(max_iter=1000)
    if data.kind is Kind.MULTIPLE:
        return _sets(make_pipeline(rows(), OneVsRestClassifier(head))), f"{name} + logistic"
    return _classes(make_pipeline(rows(), head)), f"{name} + logistic"


def _classes(pipeline: Pipeline) -> Reference:
    def reference(values: Any, answers: Any, new: Any, _: Any) -> list[Any]:
        return list(pipeline.fit(values, answers).predict(new))

    return reference


_number = _classes


def _sets(pipeline: Pipeline) -> Reference:
    def reference(values: Any, answers: Any, new: Any, _: Any) -> list[Any]:
        names = MultiLabelBinarizer()
        said = pipeline.fit(values, names.fit_transform(answers)).predict(new)
        return [frozenset(each) for each in names.inverse_transform(said)]

    return reference


def _pixels(files: Sequence[bytes]) -> Any:
    grey = [Image.open(io.BytesIO(file)).convert("L").resize((28, 28)) for file in files]
    return np.stack([np.asarray(image).ravel() / 255 for image in grey])


def _statistics(channel: Any) -> list[float]:
    x = np.asarray([v for v in channel if v is not None], dtype=float)
    slope = float(np.polyfit(np.arange(len(x)), x, 1)[0]) if len(x) > 1 else 0.0
    return [x.mean(), x.std(), x.min(), x.max(), *np.quantile(x, [0.25, 0.5, 0.75]), slope]


def _of_series(values: Sequence[dict[str, Any]]) -> Any:
    return np.array([[s for c in sorted(v) for s in _statistics(v[c])] for v in values])


def _of_sounds(files: Sequence[bytes]) -> Any:
    rows = []
    for file in files:
        samples, rate = soundfile.read(io.BytesIO(file), dtype="float64")
        samples = samples if samples.ndim == 1 else samples.mean(axis=1)
        crossings = float(np.mean(np.abs(np.diff(np.sign(samples))) > 0))
        power = np.abs(np.fft.rfft(samples)) ** 2
        frequency = np.fft.rfftfreq(len(samples), 1 / rate)
        centre = float((power * frequency).sum() / max(power.sum(), 1e-12))
        width = float(np.sqrt((power * (frequency - centre) ** 2).sum() / max(power.sum(), 1e-12)))
        rows.append([*_statistics(samples), crossings, centre, width, len(samples) / rate])
    return np.array(rows)


def _scaled(function: Callable[[Any], Any]) -> Pipeline:
    return make_pipeline(FunctionTransformer(function), StandardScaler())


_ROWS: dict[str, tuple[Callable[[], Any], str]] = {
    "Text": (lambda: TfidfVectorizer(sublinear_tf=True), "TF-IDF"),
    "Image": (lambda: FunctionTransformer(_pixels), "raw pixels"),
    "Audio": (lambda: _scaled(_of_sounds), "summary statistics"),
    "TimeSeries": (lambda: _scaled(_of_series), "summary statistics"),
    "Table": (
        lambda: make_pipeline(DictVectorizer(sparse=False), StandardScaler()),
        "standardised",
    ),
}


def _crf(values: Any, answers: Any, new: Any, layouts: Sequence[Layout]) -> list[Any]:
    by_text = {layout.text: layout for layout in layouts}
    trainer = pycrfsuite.Trainer(verbose=False)
    for text, spans in zip(values, answers, strict=True):
        layout = by_text[text]
        names = ["O"] * len(layout.spans)
        for start, end, label in spans:
            for unit in layout.touching(start, end):
                names[unit] = label
        trainer.append(_tokens(layout), names)
    trainer.set_params({"c1": 0.1, "c2": 0.1, "max_iterations": 100})
    with tempfile.NamedTemporaryFile() as model:
        trainer.train(model.name)
        tagger = pycrfsuite.Tagger()
        tagger.open(model.name)
        said = [tagger.tag(_tokens(by_text[text])) for text in new]
        tagger.close()
    return [tuple(None if name == "O" else name for name in names) for names in said]


def _tokens(layout: Layout) -> list[list[str]]:
    """Describe tokens as the CRF tutorials do: word, shape, affixes, and the neighbours' words."""
    words = [layout.text[int(a) : int(b)] for a, b in layout.spans]

    def near(place: int) -> list[str]:
        word = words[place]
        found = [
            "bias", f"w={word.lower()}", f"s3={word[-3:]}", f"s2={word[-2:]}", f"p3={word[:3]}",
            f"u={word.isupper()}", f"t={word.istitle()}", f"d={word.isdigit()}",
        ]  # fmt: skip
        for step in (-2, -1, 1, 2):
            if 0 <= place + step < len(words):
                other = words[place + step]
                found += [f"{step}w={other.lower()}", f"{step}t={other.istitle()}"]
                found += [f"{step}u={other.isupper()}", f"{step}d={other.isdigit()}"]
            elif abs(step) == 1:
                found.append(f"{step}end")
        return found

    return [near(place) for place in range(len(words))]
