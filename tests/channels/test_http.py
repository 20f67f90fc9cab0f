"""Answers that are no answers: what a call is certain of when the wire, a gateway or TLS goes wrong under it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.errors import Incomprehensible, Rejected, Unanswered, Unreachable
from channels.http import HttpClient
from channels.services import Unlimited

Serve = Callable[[bytes], HttpClient]


def an_answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """As it stands on the wire."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Takes connections while the block runs; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def read_request(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Makes clients of a server that gives one answer to everything."""
    with ExitStack() as opened:

        def server(raw: bytes) -> HttpClient:
            def answer(connection: socket.socket) -> None:
                read_request(connection)
                connection.sendall(raw)

            port = opened.enter_context(listening(answer))
            client = HttpClient("shop", f"http://127.0.0.1:{port}", budget=Unlimited())
            opened.callback(client.close)
            return client

        yield server


def test_an_answer_that_cannot_be_unpacked_came_after_the_request_was_carried_out(serve: Serve) -> None:
    client = serve(an_answer("200 OK", b"this is no gzip", "Content-Encoding: gzip"))
    with pytest.raises(Unanswered):
        client.call("adjust", "POST", "/adjustments", json={})


@pytest.mark.parametrize("target", ["http://[::1", "http://ex\xe4mple\xff/", "http://a:99999999/", "//", "\xff"])
def test_where_a_redirect_points_need_not_be_understood(serve: Serve, target: str) -> None:
    client = serve(an_answer("302 Found", b"", f"Location: {target}"))
    with pytest.raises(Incomprehensible):
        client.call("read", "GET", "/")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"1" * 5_000, b'"\xff"', b"<html>", b"", b"\xff\xfe"])
def test_a_body_that_no_parser_takes_is_incomprehensible(serve: Serve, body: bytes) -> None:
    client = serve(an_answer("200 OK", body, "Content-Type: application/json"))
    with pytest.raises(Incomprehensible):
        client.json("read", client.call("read", "GET", "/"))


@pytest.mark.parametrize("charset", ["idna", "undefined", "base64", "punycode", "no-such", "utf-16"])
def test_a_refusal_in_a_strange_alphabet_is_a_refusal(serve: Serve, charset: str) -> None:
    client = serve(an_answer("422 No", b"no\xff", f"Content-Type: text/plain; charset={charset}"))
    with pytest.raises(Rejected):
        client.call("write", "PUT", "/", json={})


def test_a_request_that_cannot_be_made_was_never_sent() -> None:
    class Broken(HttpClient):
        def headers(self) -> dict[str, str]:
            return {"X-Token": "two\r\nlines"}

    with pytest.raises(Unreachable):
        Broken("shop", "http://127.0.0.1:9", budget=Unlimited()).call("write", "PUT", "/", json={})
    with pytest.raises(Unreachable):
        HttpClient("shop", "http://127.0.0.1:9", budget=Unlimited()).call("write", "PUT", "/", json={})


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of localhost with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    file.write_bytes(secret + pem)
    return file


@contextmanager
def talking_tls(certificate: Path, *, trusted: bool, after: bytes) -> Iterator[HttpClient]:
    """A client of a TLS server that reads a request and then sends these bytes outside of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection: socket.socket) -> None:
        with connection.dup() as beside, context.wrap_socket(connection, server_side=True) as wrapped:
            read_request(wrapped)
            beside.sendall(after)

    with listening(answer) as port:
        client = HttpClient("shop", f"https://localhost:{port}", budget=Unlimited())
        if trusted:
            client.session.verify = str(certificate)
        yield client
        client.close()


def test_tls_that_breaks_after_the_request_was_sent_leaves_it_open_whether_it_was_carried_out(
    certificate: Path,
) -> None:
    plain = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    with talking_tls(certificate, trusted=True, after=plain) as client, pytest.raises(Unanswered):
        client.call("adjust", "POST", "/adjustments", json={})


def test_nothing_is_sent_to_a_server_whose_certificate_is_not_trusted(certificate: Path) -> None:
    with talking_tls(certificate, trusted=False, after=b"") as client, pytest.raises(Unreachable, match="certificate"):
        client.call("adjust", "POST", "/adjustments", json={})
