"""Where the store and the broker are, as the settings say it, for our client and for Celery's.

=========================================  ====================================================================
``redis://:password@host:6379/0``          one server (``rediss://`` with TLS)
``unix:///run/valkey.sock``                one server on a Unix socket; for Celery ``redis+socket://``
``sentinel://:password@one:26379;...``     whichever server three Sentinels say is the primary, see :class:`Sentinels`
``redis+cluster://host:6379``              a Redis Cluster, for the store alone
``amqp://user:password@host:5672/vhost``   RabbitMQ, as the broker alone
=========================================  ====================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote, urlsplit

import redis

#: Schemes of a store and of a broker.
STORE_SCHEMES = ("redis", "rediss", "unix", "sentinel", "redis+cluster")
BROKER_SCHEMES = ("redis", "rediss", "unix", "redis+socket", "sentinel", "amqp", "amqps", "pyamqp")

#: The port on which a Sentinel listens.
SENTINEL_PORT = 26379

#: What Sentinels call their primary when nobody has named it.
MASTER = "mymaster"


@dataclass(frozen=True, slots=True)
class Sentinels:
    """A primary and the Sentinels that know where it is.

    Written ``sentinel://[user]:password@one:26379;sentinel://two:26379;sentinel://three:26379/0?master=stock``: user
    and password are those of the servers, the number is the database. ``sentinel_password`` after the question mark
    is that of the Sentinels, if they have one.
    """

    hosts: tuple[tuple[str, int], ...]
    master: str = MASTER
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Sentinels:
        """Read an address.

        Raises:
            ValueError: it is none; the message does not repeat it, for it may hold a password.
        """
        address, _, query = url.partition("?")
        try:
            parts = [urlsplit(part) for part in address.split(";")]
            hosts = tuple((str(part.hostname), part.port or SENTINEL_PORT) for part in parts)
            words = parse_qs(query, strict_parsing=bool(query))
        except ValueError:  # its words repeat what they are about, such as a password that holds a slash
            raise ValueError("must name each Sentinel as sentinel://host:26379; quote signs of a password") from None
        if unknown := set(words) - {"master", "sentinel_password"}:
            raise ValueError(f"knows master and sentinel_password after the question mark, not {min(unknown)}")
        if not all(part.scheme == "sentinel" and part.hostname for part in parts):
            raise ValueError("must name each Sentinel as sentinel://host:26379, with ; between them")
        database = next((part.path.strip("/") for part in reversed(parts) if part.path.strip("/")), "0")
        if not database.isdecimal():
            raise ValueError("must end in the number of a database, such as /0")
        known = next((part for part in parts if part.password), parts[0])
        return cls(
            hosts=hosts,
            master=words.get("master", [MASTER])[0],
            database=int(database),
            username=unquote(known.username) if known.username else None,
            password=unquote(known.password) if known.password else None,
            sentinel_password=words.get("sentinel_password", [None])[0],
        )

    @property
    def for_celery(self) -> str:
        """The address as kombu wants it: whichever Sentinel it asks, user and password stand beside it."""
        user = quote(self.username or "", safe="")
        login = f"{user}:{quote(self.password, safe='')}@" if self.password else ""
        return ";".join(f"sentinel://{login}{host}:{port}/{self.database}" for host, port in self.hosts)


def scheme_of(url: str) -> str:
    """What an address begins with."""
    return url.partition("://")[0]


def check(url: str, schemes: tuple[str, ...]) -> None:
    """Make sure that a text is an address of one of these schemes.

    Raises:
        ValueError: it is not; the message does not repeat it, for it may hold a password.
    """
    advice = f"must be an address such as redis://host:6379/0, by {', '.join(schemes)}"
    if scheme_of(url) not in schemes:
        raise ValueError(advice)
    if scheme_of(url) == "sentinel":
        Sentinels.parse(url)
        return
    for part in url.split(";"):
        try:
            parts = urlsplit(part)
            good = parts.scheme in schemes and (parts.port is None or parts.port > 0)
        except ValueError:
            good = False
        if not good:
            raise ValueError(advice)
        if parts.scheme in ("redis", "rediss", "unix"):
            _check_for_redis(part)


def _check_for_redis(url: str) -> None:
    parts = urlsplit(url)
    if parts.username and not parts.password:
        raise ValueError("names a user and no password; a password alone is written redis://:password@host:6379/0")
    if unfit := {"username", "password"} & set(parse_qs(parts.query)):
        raise ValueError(f"{min(unfit)} stands before the host, as in redis://user:password@host:6379/0")
    try:
        redis.ConnectionPool.from_url(url).make_connection()  # connects to nothing yet
    except (ValueError, TypeError, redis.RedisError):
        names = ", ".join(sorted(parse_qs(parts.query))) or "the address"
        raise ValueError(f"cannot be understood after the question mark ({names})") from None


def for_celery(url: str) -> str:
    """An address of ours as Celery writes it."""
    if scheme_of(url) == "sentinel":
        return Sentinels.parse(url).for_celery
    return url.replace("unix://", "redis+socket://", 1) if scheme_of(url) == "unix" else url
