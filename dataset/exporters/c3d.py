"""C3D files by ezc3d: 3D keypoints as points in metres, sEMG as analogs at the grid's rate."""

from __future__ import annotations

from pathlib import Path

import ezc3d
import numpy as np

from dataset.exporters.options import ExportOptions, file_stems, grid_of
from dataset.session.types import Session


def export(sessions: list[Session], folder: Path, options: ExportOptions) -> None:
    """Write ``<session>.c3d``; a keypoint that was not found has residual -1, a gap of sEMG is NaN."""
    for session, stem in zip(sessions, file_stems(sessions), strict=True):
        grid = grid_of(session)
        file = ezc3d.c3d()
        joints = options.joints if grid.keypoints_3d is not None else {}
        points = np.ones((4, len(joints), len(grid.emg)))
        if grid.keypoints_3d is not None:
            points[:3] = grid.keypoints_3d[:, list(joints.values())].transpose(2, 1, 0)
        parameters = file["parameters"]
        parameters["POINT"]["RATE"]["value"] = [grid.rate_hz]
        parameters["POINT"]["LABELS"]["value"] = list(joints)
        parameters["POINT"]["UNITS"]["value"] = ["m"]
        parameters["ANALOG"]["RATE"]["value"] = [grid.rate_hz]
        parameters["ANALOG"]["LABELS"]["value"] = list(session.channels.name)
        parameters["ANALOG"]["UNITS"]["value"] = list(session.channels.unit)
        file["data"]["points"] = points
        file["data"]["meta_points"]["residuals"] = np.where(np.isfinite(points[:1]).all(axis=0), 0.0, -1.0)[None]
        file["data"]["analogs"] = grid.emg.T[None]
        file.add_parameter("MIA", "START_S", [grid.start_s])
        file.add_parameter("MIA", "VERDICT", [session.verdict])
        file.write(str(folder / f"{stem}.c3d"))
