"""The Dockerfile and compose.yaml as values, what is wrong with them, and its steps without Docker."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUTSIDE = ("/opt", "/source", "/cache", "/home")  # folders of the image that have a place below a fresh root
THERE = ("/opt", "/home")  # folders that an image has from the start
OF_THE_MACHINE = ("useradd", "chown")  # steps that would change the machine, not a folder
KNOWN = set("ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK RUN STOPSIGNAL USER VOLUME WORKDIR".split())


@dataclass(frozen=True)
class ImageStep:
    """One instruction, with the stage that it is in."""

    stage: int
    word: str
    text: str

    @property
    def flags(self) -> dict[str, str]:
        return dict(re.findall(r"--([\w-]+)=(\S+)", self.text))

    @property
    def words(self) -> list[str]:
        """Its arguments without flags, also of a JSON list."""
        plain = re.sub(r"^(--\S+\s+)+", "", self.text)
        return json.loads(plain) if plain.startswith("[") else plain.split()


def steps(text: str) -> list[ImageStep]:
    """The instructions of a Dockerfile."""
    lines = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if line[:1] != "#"))
    done, stage = [], -1
    for line in filter(None, map(str.strip, lines.splitlines())):
        word, _, rest = line.partition(" ")
        stage += word == "FROM"
        done.append(ImageStep(stage, word, rest.strip()))
    return done


def faults(text: str, ignored: str) -> Iterator[str]:
    """What is wrong with a Dockerfile, given its .dockerignore."""
    found = steps(text)
    last = [step for step in found if step.stage == found[-1].stage]
    for step in found:
        if step.word not in KNOWN:
            yield f"{step.word} is unknown or unwise"
        if step.word == "FROM" and not re.fullmatch(r"[\w./-]+:(?!latest)[\w.-]+( AS \w+)?", step.text):
            yield f"{step.text} has no fixed version"
        if step.word in ("CMD", "ENTRYPOINT") and not step.text.startswith("["):
            yield f"{step.word} starts a shell, which does not pass signals on"
        if step.word == "COPY" and "from" not in step.flags:
            for source in step.words[:-1]:
                if not (ROOT / source).exists():
                    yield f"{source} does not exist"
                if not sent(source, ignored):
                    yield f"{source} is left out by .dockerignore"
        if step.word == "RUN" and "pip install" in step.text and "--no-cache-dir" not in step.text:
            yield "pip keeps a cache"
    users = [step.text for step in last if step.word == "USER"]
    if not users or users[-1] in ("root", "0"):
        yield "it runs as root"
    for word in ("HEALTHCHECK", "VOLUME", "ENTRYPOINT"):
        if not any(step.word == word for step in last):
            yield f"{word} is missing"


def sent(source: str, ignored: str) -> bool:
    """A file of the context is sent: the last pattern of .dockerignore that fits decides."""
    kept = True
    for line in filter(None, ignored.splitlines()):
        if line[0] != "#" and fnmatch(source, line.lstrip("!")):
            kept = line[0] == "!"
    return kept


def compose_faults(compose: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a compose file, as far as names go."""
    declared = {kind: set(compose.get(kind) or {}) for kind in ("services", "volumes", "configs")}
    for name, service in compose["services"].items():
        if "build" not in service and not re.fullmatch(
            r"[\w./-]+:(?!latest)[\w.-]+", service.get("image", "")
        ):
            yield f"{name} has no image of a fixed version"
        for other in set(service.get("depends_on", ())) - declared["services"]:
            yield f"{name} waits for {other}, which is no service"
        for volume in service.get("volumes", ()):
            if volume.partition(":")[0] not in declared["volumes"]:
                yield f"{name} uses the volume {volume}, which is not declared"
        for config in service.get("configs", ()):
            if config["source"] not in declared["configs"]:
                yield f"{name} reads {config['source']}, which is not declared"
    for variable in re.findall(r"\$\{(\w+)\}", json.dumps(compose)):
        yield f"{variable} has no default"


def build(todo: list[ImageStep], root: Path, arguments: Mapping[str, str] = {}) -> dict[str, str]:
    """Execute the steps of an image below a fresh folder, with this Python; returns its environment."""
    for folder in THERE:
        (root / folder[1:]).mkdir(parents=True)
    clean = {key: text for key, text in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment = {**clean, "HOME": str(root / "home")}
    place = root
    for step in todo:
        if step.word == "ARG":
            name, _, default = step.text.partition("=")
            environment[name] = arguments.get(name, default.strip('"'))
        elif step.word == "ENV":
            for name, text in (pair.split("=", 1) for pair in shlex.split(step.text)):
                environment[name] = moved(text, root).replace("$PATH", environment["PATH"])
        elif step.word == "WORKDIR":
            place = Path(moved(step.text, root))
            place.mkdir(parents=True, exist_ok=True)
        elif step.word == "COPY" and "from" not in step.flags:
            for source in step.words[:-1]:
                _copy(ROOT / source, place / step.words[-1])
        elif step.word == "RUN" and not step.text.startswith(OF_THE_MACHINE):
            command = re.sub(r"^python ", f"{shlex.quote(sys.executable)} ", moved(step.text, root))
            subprocess.run(["sh", "-euc", command], cwd=place, env=environment, check=True)
    return environment


def moved(text: str, root: Path) -> str:
    """Paths of the image as paths below the root."""
    return re.sub(rf"(?<![\w.~/-])({'|'.join(OUTSIDE)})(?=[/\s:]|$)", lambda m: f"{root}{m[1]}", text)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target / source.name if target.is_dir() else target)
