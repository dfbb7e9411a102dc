"""The image and the compose file, as far as they can be read without an engine.

What a real Label Studio was seen to need is asserted here, where a typing error would show only as
a queue in random order.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from ls_active import __version__
from ls_active.cli.main import app
from ls_active.demo.studio_install import VERSION
from ls_active.settings import Settings
from ls_active.stack import ROLES

DOCKER = Path(__file__).parents[2] / "docker"
ROOT = DOCKER.parent
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = ("api", "worker")
REQUIRED = re.compile(r"\$\{(\w+):\?[^}]+\}")
OPTIONAL = re.compile(r"\$\{(\w+):-[^}]*\}")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


def arguments(name: str) -> list[str]:
    return [rest for word, rest in instructions() if word == name]


# The image


def test_the_service_does_not_run_as_root():
    users = arguments("USER")
    assert users
    assert not users[-1].startswith(("0", "root"))
    words = [word for word, _ in instructions()]
    after = words[len(words) - 1 - words[::-1].index("USER") :]
    assert not {"RUN", "COPY", "ADD"} & set(after), "as that user it could change its own code"


def test_dependencies_come_from_the_locks_only():
    installs = [run for run in arguments("RUN") if "pip install" in run]
    assert len(installs) == 3
    for run in installs:
        from_lock = "--no-deps --require-hashes --only-binary :all: -r requirements" in run
        assert from_lock or "pip install --no-deps --no-index /dist/*.whl" in run


def test_the_image_can_say_that_it_is_well():
    (check,) = arguments("HEALTHCHECK")
    options, _, command = check.partition(" CMD ")
    assert {"--interval", "--timeout", "--start-period"} <= {
        word.partition("=")[0] for word in options.split()
    }
    program = json.loads(command)
    assert program[:2] == ["python", "-c"]
    compile(program[2], "healthcheck", "exec")
    assert f":{Settings.model_fields['port'].default}/" in program[2]


def test_it_starts_a_command_that_exists():
    (command,) = arguments("CMD")
    program, subcommand = json.loads(command)
    assert program == "ls-active"
    assert subcommand in commands()


def commands() -> set[str]:
    return {item.callback.__name__ for item in app.registered_commands if item.callback}


def test_what_is_copied_is_there_and_not_ignored():
    allowed = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for rest in arguments("COPY"):
        words = shlex.split(rest)
        if words[0].startswith("--from"):
            continue
        for source in words[:-1]:
            assert (ROOT / source).exists(), source
            assert source in allowed, source


# Compose


def test_images_are_pinned_to_what_is_tested():
    for name, service in SERVICES.items():
        tag = service["image"].partition(":")[2]
        assert re.match(r"\d", tag), f"{name}: {service['image']}"
    assert SERVICES["label-studio"]["image"].endswith(f":{VERSION}")
    assert {SERVICES[name]["image"].partition(":")[2] for name in OURS} == {__version__}
    assert all("latest" not in base for base in arguments("FROM"))


def test_label_studio_can_send_webhooks():
    """To a private address, under a name with a dot in it: it drops all others in silence."""
    environment = SERVICES["label-studio"]["environment"]
    assert environment["USE_DEFAULT_BANNED_SUBNETS"] == "false"
    (alias,) = SERVICES["api"]["networks"]["labeling"]["aliases"]
    assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}", alias)
    port = Settings.model_fields["port"].default
    for name in OURS:
        assert SERVICES[name]["environment"]["PUBLIC_URL"] == f"http://{alias}:{port}"
    assert "labeling" in SERVICES["label-studio"]["networks"]


def test_the_queue_is_out_of_reach_of_label_studio():
    """Whoever writes to it can run jobs."""
    assert SERVICES["valkey"]["networks"] == ["queue"]
    assert "queue" not in SERVICES["label-studio"]["networks"]
    assert COMPOSE["networks"]["queue"]["internal"] is True
    assert "--requirepass" in " ".join(SERVICES["valkey"]["command"])
    assert all("ports" not in SERVICES[name] for name in ("valkey", "worker"))


def test_the_page_is_for_this_machine_and_wants_a_password():
    (published,) = SERVICES["api"]["ports"]
    assert published.startswith("127.0.0.1:")
    for name in OURS:
        assert {"BASIC_AUTH_USER", "BASIC_AUTH_PASS"} <= SERVICES[name]["environment"].keys()


def test_every_secret_is_demanded_and_none_has_a_default():
    text = (DOCKER / "compose.yaml").read_text()
    secret = {"BASIC_AUTH_PASS", "LABEL_STUDIO_API_KEY", "LABEL_STUDIO_PASSWORD", "VALKEY_PASSWORD"}
    assert secret <= set(REQUIRED.findall(text))
    assert not secret & set(OPTIONAL.findall(text))
    example = (DOCKER / ".env.example").read_text()
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == set(REQUIRED.findall(text))
    assert set(re.findall(r"^# (\w+)=", example, re.MULTILINE)) == set(OPTIONAL.findall(text))


def test_label_studio_and_the_loop_share_the_key():
    key = REQUIRED.findall(SERVICES["label-studio"]["environment"]["LABEL_STUDIO_USER_TOKEN"])
    assert SERVICES["label-studio"]["environment"]["LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN"] == "true"
    for name in OURS:
        assert REQUIRED.findall(SERVICES[name]["environment"]["LABEL_STUDIO_API_KEY"]) == key


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_locked_down(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    # All that is written goes to the volume.
    assert service["volumes"] == ["active-learning:/data"]
    assert "DATA_DIR=/data" in " ".join(arguments("ENV"))


@pytest.mark.parametrize("name", OURS)
def test_every_setting_given_is_one(name):
    assert set(SERVICES[name]["environment"]) <= {field.upper() for field in Settings.model_fields}


def test_roles_and_commands_exist():
    *module, role = SERVICES["api"]["command"]
    assert module == ["python", "-m", "ls_active.stack"]
    assert role in ROLES
    program, subcommand = SERVICES["worker"]["command"]
    assert program == "ls-active"
    assert subcommand in commands()


def test_every_service_can_say_that_it_is_well():
    for name in ("label-studio", "valkey", "worker"):
        assert {"test", "interval", "timeout"} <= set(SERVICES[name]["healthcheck"])
    for service in SERVICES.values():
        check = service.get("healthcheck", {}).get("test", [])
        if "-c" in check:
            compile(check[-1], "healthcheck", "exec")
    conditions = {
        (name, other): wait["condition"]
        for name in OURS
        for other, wait in SERVICES[name]["depends_on"].items()
    }
    assert set(conditions.values()) == {"service_healthy"}
    assert {other for _, other in conditions} <= set(SERVICES)


def test_volumes_are_named():
    for service in SERVICES.values():
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in COMPOSE["volumes"]
