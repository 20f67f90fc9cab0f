"""Gunicorn's settings, each with its reason: ``gunicorn -c python:sync.web.server sync.web:app``.

``celery -A sync serve`` uses them too. BigCommerce delivers to port 443 only, so a proxy or a load balancer that ends
TLS stands in front.
"""

from __future__ import annotations

import os
from pathlib import Path

# A request waits for the store more than it computes: threads serve many at a time, and processes use the cores.
worker_class = "sync.web.worker.PatientWorker"
workers = int(os.environ.get("WEB_CONCURRENCY", 0)) or min(4, max(2, os.cpu_count() or 1))
threads = 8

# Each process makes its own connections; none is shared by being forked.
preload_app = False

# Requests take milliseconds, and every wait of ours is bounded: a process that is silent for so long hangs.
timeout = 30
graceful_timeout = 15
# Senders and proxies keep connections open between events. Longer than the 60 s that most proxies keep theirs.
keepalive = 75

# An event has a dozen headers and some hundred bytes; larger bodies are refused by the application. The address of a
# signed request to the marketplace app has about a thousand characters.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# The heartbeat file of a process must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn makes a file of its own

# The addresses of a flood would only fill a disk; what became of requests is counted.
accesslog = None
loglevel = "warning"
control_socket_disable = True
proc_name = "inventory-sync"
