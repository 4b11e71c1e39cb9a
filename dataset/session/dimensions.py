"""HDF5 dimension scales of a session: the axis of time, frames, channels or events of each dataset (netCDF's way)."""

from __future__ import annotations

import h5py

from dataset.session import schema

#: The dataset that is the scale of a letter in shapes; ``{group}`` is the dataset's own group.
SCALES = {
    "T": "aligned/time_s",
    "C": "channels/name",
    "V": "video/frame_time_s",
    "F": "pose/frame_index",
    "N": "{group}/time_s",
    "E": "events/time_s",
    "X": "exercises/start_s",
}


def attach_scales(file: h5py.File, written: dict[str, schema.DatasetSpec]) -> None:
    """Label every dimension of the datasets ``written`` (by path) that has a letter, and attach its scale."""
    for path, spec in written.items():
        group, _, _ = path.rpartition("/")
        dataset = file[path]
        for axis, letter in enumerate(spec.shape):
            if not isinstance(letter, str):
                continue
            scale = SCALES.get(letter, "").format(group=group)
            if scale == path:
                dataset.make_scale(letter)
                continue
            dataset.dims[axis].label = letter
            if scale in file and scale in written:
                if not h5py.h5ds.is_scale(file[scale].id):
                    file[scale].make_scale(letter)
                dataset.dims[axis].attach_scale(file[scale])
