"""The pages that can go out of date by themselves."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_settings_page_is_what_the_models_say() -> None:
    written = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert written == runpy.run_path(str(ROOT / "docs" / "reference.py"))["page"](), "run: python docs/reference.py"


def test_every_link_between_our_own_pages_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    links = [
        (page.name, target)
        for page in pages
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert pages
    assert links == []


def test_every_command_that_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"celery -A sync ([\w-]+)", text)) - {"worker", "beat", "call"}
    declared = set(
        re.findall(r"^([\w-]+) = \"sync\.commands\.", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    )
    assert named
    assert named <= declared
