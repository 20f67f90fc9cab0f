"""Keeps one pool of stock true on every channel that sells it. ``celery -A sync`` finds the app in ``sync.celery``."""

from __future__ import annotations
