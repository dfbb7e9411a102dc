"""The lock files: complete, hashed, naming no place to fetch from, and free of known holes."""

from __future__ import annotations

import importlib.metadata
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

FIXED_IN = {
    # A version that a published vulnerability of the package is mended in.
    "black": "24.3.0",
    "certifi": "2024.7.4",
    "filelock": "3.20.1",
    "flask": "2.3.2",
    "fonttools": "4.60.2",
    "h11": "0.16.0",
    "idna": "3.7",
    "jinja2": "3.1.6",
    "joblib": "1.2.0",
    "lxml": "4.9.1",
    "nltk": "3.9",
    "numpy": "1.22",
    "onnx": "1.17.0",
    "opencv-python-headless": "4.8.1.78",
    "pillow": "11.3.0",
    "pip": "25.3",
    "protobuf": "6.31.1",
    "pydantic": "2.4.0",
    "pyjwt": "2.10.1",
    "python-dotenv": "1.0",
    "pyyaml": "5.4",
    "requests": "2.32.4",
    "scikit-learn": "1.5.0",
    "starlette": "0.49.1",
    "tqdm": "4.66.3",
    "ujson": "5.4.0",
    "urllib3": "2.6.3",
    "uv": "0.8.6",
    "uvicorn": "0.11.7",
    "werkzeug": "3.1.5",
}

OLD_PINS = {"attr", "flask", "itsdangerous", "jinja2", "skorch", "werkzeug"}
"""What label-studio-ml and modAL ask for and do not get: [tool.uv] in pyproject.toml says why."""

every_lock = pytest.mark.parametrize("name", LOCKS)


def pins(name: str) -> dict[str, set[str]]:
    """Versions by package; several where they depend on the interpreter."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.\-]+)==([^\s;]+)", text_of(name), re.MULTILINE):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def required(*extras: str) -> dict[str, Requirement]:
    """What pyproject.toml asks for, by package."""
    optional = PROJECT["project"]["optional-dependencies"]
    lines = [*PROJECT["project"]["dependencies"]]
    lines += [line for extra in extras for line in optional[extra]]
    found = {canonicalize_name(item.name): item for item in map(Requirement, lines)}
    return {name: item for name, item in found.items() if name != PROJECT["project"]["name"]}


@every_lock
def test_every_pin_has_hashes(name):
    entries = text_of(name).replace("\\\n", " ").splitlines()
    entries = [line for line in entries if line.strip() and not line.lstrip().startswith("#")]
    assert entries
    for entry in entries:
        assert re.match(r"[\w.\-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry), entry


@every_lock
def test_it_names_no_place_to_fetch_from(name):
    options = re.compile(
        r"://|^\s*-(-index|-extra-index|-find-links|-trusted|f\b|i\b)", re.MULTILINE
    )
    assert options.search(text_of(name)) is None


@pytest.mark.parametrize(
    ("name", "extras"), [("requirements.lock", ()), ("requirements-dev.lock", ("dev", "demo"))]
)
def test_it_has_all_that_the_project_asks_for(name, extras):
    locked = pins(name)
    for package, wanted in required(*extras).items():
        assert package in locked, f"{package} is not in {name}: run `make lock`"
        assert all(wanted.specifier.contains(version) for version in locked[package]), package


def test_the_locks_agree():
    everything = pins("requirements-dev.lock")
    for name in ("requirements.lock", "requirements-build.lock"):
        assert {package: everything.get(package) for package in pins(name)} == pins(name)


@every_lock
def test_no_known_hole_is_pinned(name):
    old = {
        package: versions
        for package, versions in pins(name).items()
        if package in FIXED_IN
        if min(map(Version, versions)) < Version(FIXED_IN[package])
    }
    assert not old


def test_every_package_with_a_known_hole_is_one_of_ours():
    assert set(FIXED_IN) <= set(pins("requirements-dev.lock"))


def test_an_audit_that_cannot_ask_fails():
    target = (ROOT / "Makefile").read_text().partition("\naudit:")[2].partition("\n\n")[0]
    assert "pip-audit --strict" in target
    # Who leaves one out says why, in the line above.
    lines = target.splitlines()
    for before, line in itertools.pairwise(lines):
        assert "--ignore-vuln" not in line or before.lstrip("\t@ ").startswith("#")


def test_what_others_pin_too_old_is_overridden():
    overridden = map(Requirement, PROJECT["tool"]["uv"]["override-dependencies"])
    assert {canonicalize_name(item.name) for item in overridden} == OLD_PINS


def test_only_these_old_pins_are_in_conflict():
    if Version(importlib.metadata.version("flask")) < Version(FIXED_IN["flask"]):
        pytest.skip("not installed from the lock")
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    conflicts = re.findall(r"^(\S+) \S+ (?:has requirement|requires) ([\w.-]+)", said, re.MULTILINE)
    assert {asker.lower() for asker, _ in conflicts} == {"label-studio-ml", "modal-python"}, said
    assert {canonicalize_name(asked) for _, asked in conflicts} == OLD_PINS, said


def test_a_wheel_holds_both_packages_and_nothing_else(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    listing = [sys.executable, "-m", "zipfile", "-l", str(wheel)]
    lines = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.splitlines()
    names = [line.split()[0] for line in lines[1:]]
    tops = {name.partition("/")[0].partition("-")[0] for name in names}
    assert tops == {"ls_active", "active_learning", "label_studio_active_learning"}
    assert {
        "ls_active/py.typed",
        "active_learning/py.typed",
        "ls_active/labeling/tags/choices.py",
    } <= set(names)
