"""A settings file in a folder of its own: nothing that is set on this machine has a say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync import settings
from sync.errors import SettingsError
from sync.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable, secret file or settings file of the machine is there; the working folder is the test's own."""
    for name in ("SYNC_CONFIG", "SYNC_REDIS_URL", "SYNC_BROKER_URL", "SYNC_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings, "SECRETS_FOLDER", str(tmp_path / "secrets"))
    monkeypatch.chdir(tmp_path)
    Path("pos").mkdir()


def load(text: str, **sheets: str) -> Settings:
    """The settings of a file with this text, beside CSVs of these names."""
    Path("sync.toml").write_text(text, "utf-8")
    for name, csv in sheets.items():
        Path(f"{name}.csv").write_text(csv, "utf-8")
    return load_settings()


def refused(text: str, **sheets: str) -> str:
    """What is said about such a file, or such a CSV, that is wrong; without the folder."""
    with pytest.raises(SettingsError) as caught:
        load(text, **sheets)
    return caught.value.message.replace(f"{Path.cwd()}/", "")
