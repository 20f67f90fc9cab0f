"""Whoever drips a request is hung up on, and nobody else."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped, unused-ignore]

from sync.web import server
from sync.web.worker import REQUEST_S, PatientWorker


def test_a_thread_is_freed_from_a_request_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = PatientWorker.__new__(PatientWorker)
    worker._begun = {}
    reads: dict[str, bytes] = {}

    def read(_worker: ThreadWorker, conn: SimpleNamespace) -> None:
        """What gunicorn does in a thread, while the thread that accepts looks after it."""
        worker._begun[conn] -= conn.age_s
        worker.notify()
        conn.sock.setblocking(False)
        try:
            reads[conn.name] = conn.sock.recv(1)
        except BlockingIOError:
            reads[conn.name] = b"still open"

    class Conn(SimpleNamespace):
        __hash__ = object.__hash__

    monkeypatch.setattr(ThreadWorker, "handle", read)
    monkeypatch.setattr(ThreadWorker, "notify", lambda _worker: None)
    for name, age_s in (("slow", REQUEST_S + 1), ("quick", 0.0)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            worker.handle(Conn(name=name, age_s=age_s, sock=ours))
    assert reads == {"slow": b"", "quick": b"still open"}
    assert worker._begun == {}


def test_the_receiver_runs_under_it() -> None:
    assert server.worker_class == f"{PatientWorker.__module__}.{PatientWorker.__qualname__}"
