"""The operator's own configuration is refused with the field and the cure, before anything starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from stepdown.actions.page_deployment import PageImage
from stepdown.controller.config import BadConfig, read_config
from stepdown.mass_guard import Limit


def read(folder: Path, **fields: Any) -> str:
    """The metrics address of a configuration with these fields."""
    file = folder / "config.json"
    file.write_text(json.dumps(fields))
    return read_config(file).metrics_address


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "127.0.0.1:0", "[::]:65535", ":9090"])
def test_a_host_and_a_port_are_an_address(tmp_path: Path, address: str):
    assert read(tmp_path, metricsAddress=address) == address


@pytest.mark.parametrize("address", ["8080", "localhost", "0.0.0.0:99999", "0.0.0.0:-1", "0.0.0.0:http", ""])
def test_what_is_no_address_is_refused_with_its_field(tmp_path: Path, address: str):
    with pytest.raises(BadConfig, match=r"config\.json: metricsAddress: .*; correct it in the chart's values"):
        read(tmp_path, metricsAddress=address)


def test_an_unknown_field_is_refused(tmp_path: Path):
    with pytest.raises(BadConfig, match="metricAddress"):
        read(tmp_path, metricAddress="0.0.0.0:8080")


def test_a_file_that_is_no_json_is_refused(tmp_path: Path):
    file = tmp_path / "config.json"
    file.write_text("metricsAddress: 0.0.0.0:8080")
    with pytest.raises(BadConfig, match="give a JSON file"):
        read_config(file)


@pytest.mark.parametrize(
    ("most", "limit"),
    [("50%", Limit(share=0.5, window=300.0)), ("100%", Limit(share=1.0, window=300.0)), (7, Limit(7, window=300.0))],
)
def test_the_mass_guard_takes_a_count_or_a_share(tmp_path: Path, most: int | str, limit: Limit):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"massGuard": {"maxNewlyDegraded": most, "window": "5m"}}))
    assert read_config(file).mass_guard.limit == limit


@pytest.mark.parametrize("most", [0, -1, "0%", "101%", "5", "half", 0.5])
def test_what_is_neither_a_count_nor_a_share_is_refused(tmp_path: Path, most: object):
    with pytest.raises(BadConfig, match="massGuard"):
        read(tmp_path, massGuard={"maxNewlyDegraded": most})


def test_status_pages_are_made_of_the_image_that_is_given_and_none_without(tmp_path: Path):
    page = {"image": "registry.example/stepdown:1", "pullPolicy": "Always", "pullSecrets": ["registry"]}
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"statusPage": page}))
    found = read_config(file).status_page
    assert found is not None
    assert found.made_of == PageImage("registry.example/stepdown:1", "Always", ("registry",))
    assert read_config(None).status_page is None
