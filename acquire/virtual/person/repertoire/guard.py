"""The boxer's guard, from which punches and kicks begin: fists before the chin, knees soft."""

from __future__ import annotations

GUARD = {
    "left_shoulder_elevation": 38.0, "left_shoulder_plane": 75.0, "left_shoulder_rotation": -14.0, "left_elbow": 118.0,
    "right_shoulder_elevation": 38.0, "right_shoulder_plane": 75.0, "right_shoulder_rotation": -14.0,
    "right_elbow": 118.0, "left_knee": 12.0, "right_knee": 12.0, "left_hip_flexion": 7.0, "right_hip_flexion": 7.0,
}  # fmt: skip
