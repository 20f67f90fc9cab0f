"""The commands that people type after ``celery -A sync``, one module each. All are Celery's own click commands."""

from __future__ import annotations
