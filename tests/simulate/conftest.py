"""Files for the commands of the tests."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def written(tmp_path: Path):
    """Writes objects as one file of several documents."""

    def write(*objects: dict[str, Any]) -> str:
        file = tmp_path / "shop.yaml"
        file.write_text("\n---\n".join(json.dumps(obj) for obj in objects), encoding="utf-8")
        return str(file)

    return write
