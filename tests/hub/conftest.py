"""A Hub with one small model, in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from hub_made import Hub, commit_of
from neuroncensus.hub import client

REPO, COMMIT = "org/tiny", commit_of("first")
FILES = {
    "config.json": b'{"model_type": "opt", "hidden_size": 16}',
    "pytorch_model.bin": bytes(range(256)) * 40,
    "vocab.json": b'{"a": 1}',
    "merges.txt": b"#version: 0.2\n",
    "flax_model.msgpack": b"never" * 100,
    "README.md": b"# tiny",
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """It is asked by `endpoint=`; the cache is an empty folder, and nobody waits."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(client, "PAUSES", (0, 0))
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _seconds: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with Hub() as made:
        made.put("models", REPO, COMMIT, dict(FILES))
        yield made
