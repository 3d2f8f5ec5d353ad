"""The images of the node: the operator's, the example shop's, one for pods of tests, and the one that holds pods open.

All share the base's layer. They are archives for `ctr images import`; nothing is pulled from a registry of
images.
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from ruamel.yaml import YAML

from node import archive, building, debian, dockerfile
from node.settings import PAUSE_IMAGE
from plane.caching import cached, key_of

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "examples" / "shop"
PYTHON_IMAGE = "stepdown.test/python:1"
ARCHIVE = "image.tar"


def plain() -> Path:
    """An archive with nothing but Python, and with what holds pods open."""
    base = debian.base()
    python = archive.Settings(user="65532:65532", env=debian.ENV)
    pause = replace(python, entrypoint=("/bin/sleep", "infinity"))
    images = [archive.Image(n, (base.layer,), s) for n, s in ((PYTHON_IMAGE, python), (PAUSE_IMAGE, pause))]

    def make(folder: Path) -> None:
        archive.write_archive(folder / ARCHIVE, *images)

    return cached("image-plain", key_of((repr(images), *_code())), make) / ARCHIVE


def operator() -> Path:
    """An archive of what the Dockerfile makes of this clone, under the name that the chart asks for."""
    return _built("image-operator", ROOT, operator_stages(), operator_name())


def shop() -> list[Path]:
    """Archives of the example shop's images, under the names that its manifests ask for."""
    stages = read_stages(SHOP)
    copied = {step.stage for stage in stages for step in stage.steps if isinstance(step, dockerfile.Copy)}
    archives = []
    for target in (stage for stage in stages if stage.name not in copied):
        needed = {step.stage for step in target.steps if isinstance(step, dockerfile.Copy)}
        before = [stage for stage in stages if stage.name in needed]
        archives.append(_built(f"image-{target.name}", SHOP, [*before, target], f"shop.example/{target.name}:1"))
    return archives


def _built(title: str, context: Path, stages: list[dockerfile.Stage], name: str) -> Path:
    """Builds the stages, and an image of the last."""
    base = debian.base()
    files = building.context_files(context, stages)

    def make(folder: Path) -> None:
        started = time.time()
        upper = building.Builder(base.root, folder / "stages", context).build(stages)
        layer = archive.write_layer(upper, folder / "layer.tar", started)
        image = archive.Image(name, (base.layer, layer), stages[-1].settings)
        archive.write_archive(folder / ARCHIVE, image)
        layer.unlink()
        shutil.rmtree(folder / "stages")

    contents = (part for path, content in files.items() for part in (path, content))
    key = (str(base.layer), name, repr(stages), *_code(), *contents)
    return cached(title, key_of(key), make) / ARCHIVE


def operator_name() -> str:
    """The chart's own default."""
    yaml = YAML(typ="safe", pure=True)
    chart = ROOT / "helm" / "stepdown"
    values, about = (yaml.load((chart / file).read_text()) for file in ("values.yaml", "Chart.yaml"))
    return f"{values['image']['repository']}:{about['appVersion']}"


def operator_stages() -> list[dockerfile.Stage]:
    """The operator's Dockerfile, read."""
    return read_stages(ROOT)


def read_stages(context: Path) -> list[dockerfile.Stage]:
    """A folder's Dockerfile, read. Raises ValueError where it starts from what Debian's packages can't stand for."""
    stages = dockerfile.read((context / "Dockerfile").read_text(), debian.ENV)
    for stage in stages:
        if not stage.base.startswith((f"python:{debian.PYTHON}", f"debian:{debian.SUITE}")):
            raise ValueError(
                f"{context}/Dockerfile starts from {stage.base}; here is only Debian {debian.SUITE} "
                f"with Python {debian.PYTHON}"
            )
    return stages


def _code() -> list[bytes]:
    """What makes images, so that a change of it makes them again."""
    return [Path(module.__file__ or "").read_bytes() for module in (archive, building, dockerfile)]
