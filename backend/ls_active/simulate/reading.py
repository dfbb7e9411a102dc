"""Reads a file or folder of things and what is right about each."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ls_active.errors import BadRequest
from ls_active.simulate import columns
from ls_active.simulate.examples import Examples

SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys((".txt", ".md", ".text"), "Text"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"), "Image"),
    **dict.fromkeys((".wav", ".flac", ".mp3", ".ogg", ".aiff", ".aif"), "Audio"),
}
"""Which object tag would show a file."""

DELIMITERS = (",", ";", "\t")

MAX_CELL = 10_000_000
"""Characters of one cell of a CSV file; a file with an odd quote is one cell to its end."""


def read(path: Path, text: Sequence[str], label: str) -> Examples:
    """Read a CSV file, a JSONL file, or a folder with a folder for each class.

    Parameters
    ----------
    text, label : columns
        Nothing: they are guessed where it is plain which ones are meant.

    Raises
    ------
    BadRequest
        It cannot be read, or it is not plain which columns are meant.
    """
    try:
        if path.is_dir():
            if text or label:
                raise BadRequest(
                    f"{path} is a folder: its folders are the labels, so --text and --label have "
                    "nothing to name"
                )
            return _folder(path)
        return columns.examples(list(_rows(path)), text, label, str(path))
    except FileNotFoundError:
        raise BadRequest(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from None
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror or error}") from None


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    suffix = path.suffix.lower()
    if not path.exists():
        raise FileNotFoundError
    if suffix in {".jsonl", ".ndjson"}:
        return _json_lines(path)
    if suffix in {".csv", ".tsv"}:
        return _table(path)
    raise BadRequest(
        f"{path} is of no kind that is read: give a .csv, .tsv or .jsonl file, or a folder that "
        "holds a folder of files for each class"
    )


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BadRequest(f"line {number} of {path} is not JSON: {error}") from None
            if not isinstance(row, dict):
                raise BadRequest(
                    f"line {number} of {path} should be an object such as "
                    f'{{"text": "...", "label": "..."}}, got {type(row).__name__}'
                )
            yield row


def _table(path: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(MAX_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        file.seek(0)
        reader = csv.DictReader(file, delimiter=max(DELIMITERS, key=header.count))
        names = reader.fieldnames or []
        if len(set(names)) < len(names):
            raise BadRequest(f"two columns of {path} have the same name: {', '.join(names)}")
        try:
            for row in reader:
                if None in row:
                    raise BadRequest(
                        f"line {reader.line_num} of {path} has more cells than the first line has "
                        "names; is a text with commas not quoted?"
                    )
                yield row
        except csv.Error as error:
            raise BadRequest(f"line {reader.line_num} of {path}: {error}") from None


def _folder(path: Path) -> Examples:
    found: dict[str, list[tuple[Path, str]]] = {}
    for folder in sorted(each for each in path.iterdir() if each.is_dir()):
        for file in sorted(folder.rglob("*")):
            tag = SUFFIXES.get(file.suffix.lower())
            if tag and not any(part.startswith(".") for part in file.relative_to(path).parts):
                found.setdefault(tag, []).append((file, folder.name))
    if not found:
        raise BadRequest(
            f"{path} holds no folders with texts, images or sounds; a folder for each class is "
            f"wanted, with files such as {', '.join(list(SUFFIXES)[:1])}, .png or .wav"
        )
    if len(found) > 1:
        counts = ", ".join(f"{len(files)} of {tag}" for tag, files in found.items())
        raise BadRequest(f"{path} holds files of several kinds ({counts}); one kind at a time")
    [(tag, files)] = found.items()
    values, answers = zip(*files, strict=True)
    return Examples(tag, values, answers, f"{tag} files, a class a folder")
