"""OCI image archives: layers of folders that have the same bytes whenever the folders have the same files."""

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Settings:
    """How an image's containers start: what USER, ENV, WORKDIR, ENTRYPOINT and CMD say."""

    user: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def config(self) -> dict[str, Any]:
        """As the image's configuration has it."""
        return {
            "User": self.user,
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "WorkingDir": self.workdir,
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
        }


def write_layer(folder: Path, out: Path, newest: float) -> Path:
    """A folder as a layer. Times later than `newest`, in seconds, become 0: they tell when it was made, not of what."""
    with out.open("wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in _walk(folder):
            info = tar.gettarinfo(str(path), arcname=str(path.relative_to(folder)))
            if info is None:  # a socket
                continue
            info.uname = info.gname = ""
            info.mtime = 0 if info.mtime > newest else int(info.mtime)
            if info.isreg():
                with path.open("rb") as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)
    return out


@dataclass(frozen=True)
class Image:
    """What containers start from. `name` is the full one that pods ask for, like docker.io/library/shop:1."""

    name: str
    layers: tuple[Path, ...]
    settings: Settings


def write_archive(out: Path, *images: Image) -> Path:
    """An archive that `ctr images import` takes. Layers that images share are in it once."""
    layers = {layer: file_digest(layer) for image in images for layer in image.layers}
    blobs: dict[str, bytes] = {}
    manifests = [_manifest(image, layers, blobs) for image in images]
    with tarfile.open(out, "w") as tar:
        _add(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())
        for digest, content in blobs.items():
            _add(tar, _place(digest), content)
        for layer, digest in layers.items():
            info = tarfile.TarInfo(_place(digest))
            info.size = layer.stat().st_size
            with layer.open("rb") as file:
                tar.addfile(info, file)
    return out


def _manifest(image: Image, layers: Mapping[Path, str], blobs: dict[str, bytes]) -> dict[str, Any]:
    """Adds an image's configuration and manifest to the blobs, and gives its entry for the index."""
    digests = [layers[layer] for layer in image.layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": image.settings.config(),
        "rootfs": {"type": "layers", "diff_ids": digests},
    }
    sizes = [layer.stat().st_size for layer in image.layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _blob(blobs, config, _CONFIG),
        "layers": [{"mediaType": _LAYER, "digest": d, "size": size} for d, size in zip(digests, sizes, strict=True)],
    }
    return {**_blob(blobs, manifest, _MANIFEST), "annotations": {"io.containerd.image.name": image.name}}


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below, parents first, in an order that depends on names only."""
    for entry in sorted(os.scandir(folder), key=lambda found: found.name):
        path = Path(entry.path)
        yield path
        if stat.S_ISDIR(path.lstat().st_mode):
            yield from _walk(path)


def file_digest(path: Path) -> str:
    """sha256:… of a file, as OCI names a layer."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _blob(blobs: dict[str, bytes], content: Any, media_type: str) -> dict[str, Any]:
    text = json.dumps(content).encode()
    digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
    blobs[digest] = text
    return {"mediaType": media_type, "digest": digest, "size": len(text)}


def _place(digest: str) -> str:
    return "blobs/sha256/" + digest.removeprefix("sha256:")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
