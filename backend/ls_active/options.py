"""What one project may choose: the connection's extra params over the service's defaults."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from active_learning import registry
from active_learning.encoders import minilm
from active_learning.encoders.packaged import EncoderUnavailable
from ls_active.errors import BadOptions

RawOptions: TypeAlias = dict[str, Any] | str | None
"""Label Studio sends an object through its API and a text from its UI's text area."""


class Options(BaseModel):
    """Choices of one project."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: str = Field("auto", description="Query strategy that orders the queue.")
    text_encoder: Literal["words", "minilm"] = Field(
        "words", description="How texts become features; minilm needs the extra `embeddings`."
    )
    prelabels: Literal["auto", "always", "never"] = Field(
        "auto", description="Show the model's answer to annotators; auto: once it is useful."
    )
    audit_share: float = Field(
        0.1, ge=0, le=1, description="Share of tasks drawn at random for an honest estimate."
    )
    min_labels: int = Field(2, ge=2, description="Labels (in two classes) before the first model.")
    retrain_after: int = Field(1, ge=1, description="New labels before the next model.")
    min_interval: float = Field(
        5.0, ge=0, allow_inf_nan=False, description="Seconds between publications, at least."
    )
    busy_share: float = Field(
        0.05,
        ge=0.01,
        le=1,
        description="Share of its time that publishing may keep Label Studio busy.",
    )
    head_size: int = Field(100, ge=1, le=5000, description="Tasks in the queue's head, at least.")
    keep_models: int = Field(20, ge=1, description="Model files kept; records are kept for ever.")
    on_contested: Literal["restore", "leave"] = Field(
        "restore", description="When somebody else sets the project's model version."
    )
    gate: Literal["off", "warn", "on"] = Field(
        "warn", description="What to do about a version that is significantly worse; on: hold it."
    )
    seed: int = Field(0, ge=0, description="Seed of everything random.")

    @field_validator("strategy")
    @classmethod
    def _registered(cls, name: str) -> str:
        known = sorted(registry.strategies())
        if name not in known:
            raise ValueError(f"must be one of {', '.join(known)}, got {name!r}")
        return name

    @field_validator("text_encoder")
    @classmethod
    def _installed(cls, name: str) -> str:
        if name == "minilm":
            try:
                minilm.require()
            except EncoderUnavailable as error:
                raise ValueError(f"minilm cannot be had: {error}") from None
        return name


def parse(*layers: RawOptions) -> Options:
    """Merge option layers, later ones winning, and check them.

    Raises
    ------
    BadOptions
        Naming every unknown or wrong option and listing the valid ones.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= _as_mapping(layer)
    try:
        return Options(**merged)
    except ValidationError as error:
        raise BadOptions(_explain(error)) from None


def _as_mapping(raw: RawOptions) -> dict[str, Any]:
    if raw is None or raw == "":
        return {}
    if isinstance(raw, dict):
        return raw
    if not isinstance(raw, str):
        raise BadOptions(f"options must be an object or text, got {type(raw).__name__}. {valid()}")
    text = raw.strip()
    if text.startswith(("{", '"')):
        return _from_json(text)
    return _from_lines(text)


def _from_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadOptions(f"options are not valid JSON ({error}). {valid()}") from None
    if isinstance(value, str):
        return _as_mapping(value)
    if not isinstance(value, dict):
        raise BadOptions(f"options must be a JSON object, got {type(value).__name__}. {valid()}")
    return value


def _from_lines(text: str) -> dict[str, Any]:
    pairs = {}
    for line in text.replace(";", "\n").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, separator, value = line.partition("=")
        if not separator:
            raise BadOptions(
                f"options need `key=value` lines, got {line.strip()[:60]!r}. {valid()}"
            )
        pairs[key.strip()] = value.strip()
    return pairs


def _explain(error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            problems.append(f"unknown option {name[:60]!r}")
        else:
            problems.append(f"{name}: {item['msg'].removeprefix('Value error, ')}")
    return f"{'; '.join(problems)}. {valid()}"


@cache
def valid() -> str:
    """Return one line that lists every option with its default."""
    fields = Options.model_fields.items()
    return "Valid options: " + ", ".join(f"{name}={field.default}" for name, field in fields)
