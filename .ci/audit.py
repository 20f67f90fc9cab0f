"""Known vulnerabilities of what is installed, and secrets in the tree: ``make audit``.

Exit codes: 0 clean, as far as could be checked (what could not be is said in one line); 1 something was found.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

TOOLS = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[1]

#: Tests, sandboxes and examples log in with made-up words; there, addresses with a password in them are no news.
MADE_UP = re.compile(r"^(tests|benchmarks|docs)/|/sandbox|^sync/storage/addresses\.py$|^README\.md$")

#: The id of a run of tasks, as in examples of log lines.
RUN = "^[0-9a-f]{12}$"


def main() -> int:
    """Check both, and say what was found."""
    return max(vulnerabilities(), secrets())


def vulnerabilities() -> int:
    """Ask the index for known vulnerabilities of every pinned version."""
    done = _run("pip-audit", "--requirement", "constraints.txt", "--no-deps", "--disable-pip", "--format", "json")
    try:
        pins: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        words = done.stderr.strip().splitlines() or ["no answer"]
        print(f"vulnerabilities: NOT CHECKED, the index could not be asked: {words[-1]}")
        return 0
    found = [(pin, flaw) for pin in pins for flaw in pin.get("vulns", ())]
    skipped = [pin["name"] for pin in pins if "skip_reason" in pin]
    for pin, flaw in found:
        fixed = ", ".join(flaw.get("fix_versions", ())) or "none yet"
        print(f"vulnerabilities: {pin['name']} {pin['version']}: {flaw['id']}; fixed in: {fixed}")
    if pins and len(skipped) == len(pins):
        print(f"vulnerabilities: NOT CHECKED, the index reached from here says nothing of any of {len(pins)} packages")
        return 0
    if skipped:
        print(f"vulnerabilities: not checked, unknown to the index: {', '.join(skipped)}")
    print(f"vulnerabilities: {len(found)} in {len(pins) - len(skipped)} packages")
    return 1 if found else 0


def secrets() -> int:
    """Look for tokens, keys and passwords in every file that is or would be committed.

    Words assigned to names like ``password`` are left to ruff (S105 to S107), which reads the code.
    """
    files = _git("ls-files", "--cached", "--others", "--exclude-standard")
    done = _run("detect-secrets", "scan", "--disable-plugin", "KeywordDetector", "--exclude-secrets", RUN, *files)
    if done.returncode:
        print(done.stderr)
        return 1
    found = [
        (file, one)
        for file, ones in json.loads(done.stdout)["results"].items()
        for one in ones
        if not (one["type"] == "Basic Auth Credentials" and MADE_UP.search(file))
    ]
    for file, one in found:
        print(f"secrets: {file}:{one['line_number']}: {one['type']}")
    print(f"secrets: {len(found)} in {len(files)} files")
    return 1 if found else 0


def _run(tool: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / tool, *words], cwd=ROOT, capture_output=True, text=True, check=False)


def _git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
