"""The image and what compose makes of it: linted always, executed without Docker where that is asked for."""

import os
import signal
import subprocess
import time

import image
import pytest
import serving
import yaml
from image import ROOT, compose_faults, faults, moved, sent, steps

from explorer.cluster.address import ClusterAddress
from explorer.commands.arguments.cluster import VARIABLE
from explorer.machine import health
from explorer.machine.paths import CACHE_VARIABLE

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
EXECUTE = "PRUNING_EXPLORER_TEST_IMAGE"


def last(word: str) -> image.ImageStep:
    return [step for step in steps(DOCKERFILE) if step.word == word][-1]


def test_the_dockerfile_is_clean():
    assert list(faults(DOCKERFILE, IGNORED)) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("USER explorer", "USER root", "it runs as root"),
        ("python:3.12-slim\n", "python:latest\n", "no fixed version"),
        ("COPY pages pages", "COPY leaves leaves", "does not exist"),
        ("COPY pages pages", "COPY tests tests", "left out by .dockerignore"),
        ('ENTRYPOINT ["pruning-explorer"', "ENTRYPOINT pruning-explorer", "starts a shell"),
        ("COPY pages", "ADD pages", "unwise"),
        ("VOLUME /cache\n", "", "VOLUME is missing"),
        ("--no-cache-dir ", "", "keeps a cache"),
    ],
)
def test_negative_control_each_fault_of_a_dockerfile_is_seen(before, after, fault):
    assert before in DOCKERFILE
    assert any(fault in found for found in faults(DOCKERFILE.replace(before, after), IGNORED))


def test_what_the_wheel_needs_is_sent_and_nothing_private():
    assert sent("explorer", IGNORED)
    assert not any(sent(name, IGNORED) for name in (".git", "tests", ".venv", "notes.txt"))


def test_the_volume_is_the_cache_and_the_port_that_of_the_health_check():
    environment = dict(pair.split("=", 1) for pair in last("ENV").words)
    assert environment[CACHE_VARIABLE] == last("VOLUME").text
    port = last("EXPOSE").text
    assert port in last("ENTRYPOINT").words
    assert last("HEALTHCHECK").text.endswith(f'CMD ["python", "-m", "explorer.machine.health", "{port}"]')


def test_the_compose_file_is_clean():
    assert list(compose_faults(COMPOSE)) == []


def test_a_default_build_takes_torch_for_the_processor_only():
    index = last_default("TORCH_INDEX")
    assert index.endswith("/whl/cpu")
    assert COMPOSE["services"]["explorer"]["build"]["args"]["TORCH_INDEX"] == f"${{TORCH_INDEX-{index}}}"
    install = next(step.text for step in steps(DOCKERFILE) if "torch>=" in step.text)
    assert '${TORCH_INDEX:+--index-url "$TORCH_INDEX"}' in install


def last_default(argument: str) -> str:
    """What an argument of the Dockerfile is where nobody gives it."""
    texts = dict(step.text.split("=", 1) for step in steps(DOCKERFILE) if step.word == "ARG")
    return texts[argument].strip('"')


def test_the_second_profile_has_a_scheduler_and_two_workers_that_reach_it():
    services = COMPOSE["services"]
    cluster = {name for name, service in services.items() if service.get("profiles") == ["cluster"]}
    assert cluster == {"scheduler", "worker"} and services["worker"]["deploy"]["replicas"] == 2
    address = services["worker"]["entrypoint"][2]
    assert ClusterAddress.of(address).host == "scheduler"
    assert address.rpartition(":")[2] in services["scheduler"]["entrypoint"]
    assert VARIABLE in services["explorer"]["environment"]
    assert all(services[name]["build"] == services["explorer"]["build"] for name in cluster)


def test_compose_names_one_base_path_and_one_host_everywhere():
    page, proxy = COMPOSE["services"]["explorer"], COMPOSE["configs"]["caddyfile"]["content"]
    words = page["command"]
    base, host = words[words.index("--base-path") + 1], words[words.index("--trusted-host") + 1]
    assert page["environment"][health.BASE_PATH] == base
    assert f"reverse_proxy /{base}*" in proxy
    assert proxy.startswith(f"{host} {{")


def test_negative_control_a_name_that_nothing_declares_is_seen():
    broken = {
        "services": {
            "a": {"image": "x:latest", "depends_on": {"b": {}}, "volumes": ["v:/v"], "command": "${WHO}"}
        }
    }
    said = " ".join(compose_faults(broken))
    assert all(word in said for word in ("fixed version", "waits for b", "volume v:/v", "WHO has no default"))


def test_paths_of_the_image_move_below_a_root(tmp_path):
    assert moved("/opt/explorer/bin/pip install . > /cache", tmp_path) == (
        f"{tmp_path}/opt/explorer/bin/pip install . > {tmp_path}/cache"
    )
    assert moved("/usr/bin/opt/x", tmp_path) == "/usr/bin/opt/x"


@pytest.mark.skipif(not os.environ.get(EXECUTE), reason=f"takes minutes and installs torch; set {EXECUTE}=1")
@pytest.mark.timeout(1500)
def test_the_steps_of_the_image_give_a_page_that_answers(tmp_path):
    found = steps(DOCKERFILE)
    inside = image.build(found, tmp_path, {"TORCH_INDEX": os.environ.get("TORCH_INDEX", "")})
    port = str(serving.free_port())
    command = [
        word.replace("8501", port).replace("0.0.0.0", "127.0.0.1") for word in last("ENTRYPOINT").words
    ]
    command[0] = str(tmp_path / "opt/explorer/bin" / command[0])
    inside |= {health.BASE_PATH: "lab"}
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        page = subprocess.Popen(
            [*command, "digits-mlp", "--base-path", "lab"],
            cwd=tmp_path / "home",
            env=inside,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        check = [str(tmp_path / "opt/explorer/bin/python"), "-m", "explorer.machine.health", port]
        until = time.monotonic() + 120
        while subprocess.run(check, cwd=tmp_path / "home", env=inside).returncode:
            assert page.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(1)
        page.send_signal(signal.SIGTERM)
        assert page.wait(20) in (0, -signal.SIGTERM)
    assert "Traceback" not in log.read_text()
