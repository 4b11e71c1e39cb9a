"""Exercises of one leg while the other carries the body. The left leg's repetition is written down.

The weight goes over the right foot. Kicks to the front strike the air; the knee kick meets a pad.
"""

from __future__ import annotations

from collections.abc import Mapping

from acquire.virtual.person.motion import Motion, Strike
from acquire.virtual.person.repertoire.guard import GUARD

_GUARD = {name: value for name, value in GUARD.items() if "shoulder" in name or "elbow" in name}

#: Exercises of one leg by stored name.
KICKS: Mapping[str, Motion] = {
    "front_kick": Motion(
        period_s=1.7,
        base=_GUARD,
        planted=("right",),
        alternates=True,
        tracks={
            "pelvis_x": ((0.26, -0.10), (0.78, -0.10)),
            "pelvis_z": ((0.30, 0.0), (0.54, 0.03), (0.62, 0.03)),
            "left_hip_flexion": ((0.42, 74.0), (0.52, 75.0), (0.86, 28.0)),
            "left_knee": ((0.12, 22.0), (0.26, 68.0), (0.56, 9.0), (0.61, 10.0), (0.86, 27.0)),
            "left_foot_pitch": ((0.12, 0.0), (0.22, -14.0), (0.52, 25.0), (0.62, 20.0), (0.86, -4.0)),
            "left_hip_abduction": ((0.40, -3.0), (0.66, -3.0)),
            "lean": ((0.53, -15.0), (0.62, -12.0)),
            "twist": ((0.53, 12.0), (0.62, 10.0)),
            "bend": ((0.34, -5.0), (0.66, -5.0)),
            "left_shoulder_elevation": ((0.53, -14.0), (0.64, -12.0)),
            "right_elbow": ((0.53, 8.0),),
        },
    ),
    "high_kick": Motion(
        period_s=1.7,
        base={},
        planted=("right",),
        alternates=True,
        tracks={
            "pelvis_x": ((0.22, -0.10), (0.74, -0.10)),
            "pelvis_y": ((0.22, -0.02), (0.74, -0.02)),
            "left_hip_flexion": ((0.06, 0.0), (0.20, 18.0), (0.48, 92.0), (0.54, 90.0), (0.94, 0.0)),
            "left_hip_abduction": ((0.30, -4.0), (0.70, -4.0)),
            "left_hip_rotation": ((0.30, -6.0), (0.70, -6.0)),
            "left_knee": ((0.20, 26.0), (0.48, 8.0), (0.80, 24.0)),
            "left_foot_pitch": ((0.12, -4.0), (0.48, 62.0), (0.54, 60.0), (0.88, -4.0)),
            "lean": ((0.48, -10.0), (0.56, -9.0)),
            "right_shoulder_elevation": ((0.14, -4.0), (0.48, 74.0), (0.56, 72.0)),
            "right_shoulder_plane": ((0.30, 62.0), (0.70, 60.0)),
            "left_shoulder_elevation": ((0.46, 34.0), (0.58, 32.0)),
            "left_shoulder_plane": ((0.46, -50.0), (0.58, -48.0)),
        },
    ),
    "knee_kick": Motion(
        period_s=1.4,
        base=_GUARD,
        planted=("right",),
        alternates=True,
        strike=Strike(joint="left_knee", phase=0.50, push_n=(0.0, -20.0, -110.0)),
        tracks={
            # Hands reach up for the shoulders of the other and pull them down onto the knee.
            "both_shoulder_elevation": ((0.20, 58.0), (0.50, 6.0), (0.60, 4.0)),
            "both_elbow": ((0.20, -72.0), (0.50, -20.0), (0.62, -16.0)),
            "pelvis_x": ((0.24, -0.10), (0.70, -0.10)),
            "pelvis_z": ((0.18, -0.02), (0.50, 0.10), (0.60, 0.09)),
            "left_hip_flexion": ((0.16, 4.0), (0.50, 96.0), (0.56, 94.0), (0.82, 16.0)),
            "left_knee": ((0.16, 46.0), (0.46, 112.0), (0.58, 108.0), (0.82, 42.0)),
            "left_foot_pitch": ((0.10, -2.0), (0.22, -30.0), (0.44, -44.0), (0.60, -44.0), (0.86, -4.0)),
            "left_hip_rotation": ((0.30, -8.0), (0.70, -8.0)),
            "right_foot_pitch": ((0.24, 0.0), (0.50, -12.0), (0.60, -12.0), (0.78, 0.0)),
            "lean": ((0.20, -2.0), (0.50, 14.0), (0.60, 13.0)),
        },
    ),
    "leg_back": Motion(
        period_s=2.8,
        base={},
        planted=("right",),
        alternates=True,
        tracks={
            "pelvis_x": ((0.20, -0.11), (0.82, -0.11)),
            "pelvis_z": ((0.30, 0.02), (0.74, 0.02)),
            "pelvis_y": ((0.20, -0.01), (0.82, -0.01)),
            "left_hip_flexion": ((0.06, 0.0), (0.16, 6.0), (0.38, -54.0), (0.68, -54.0), (0.86, 6.0), (0.95, 0.0)),
            "left_hip_abduction": ((0.40, -5.0), (0.62, -5.0)),
            "left_knee": ((0.16, 32.0), (0.38, 48.0), (0.68, 48.0), (0.86, 32.0)),
            "left_foot_pitch": ((0.14, -4.0), (0.38, -84.0), (0.68, -84.0), (0.88, -4.0)),
            "lean": ((0.38, 34.0), (0.68, 34.0)),
            "nod": ((0.38, -12.0), (0.68, -12.0)),
            "both_shoulder_elevation": ((0.40, 52.0), (0.62, 52.0)),
            "both_shoulder_plane": ((0.30, 55.0), (0.74, 55.0)),
        },
    ),
    "pirouette": Motion(
        period_s=2.9,
        base={},
        planted=(),
        turns=1,
        tracks={
            "spin": ((0.26, 0.0), (0.78, 1.0), (1.0, 1.0)),
            # Down, up onto the left toes, the right foot at the left knee.
            "left_knee": ((0.20, 42.0), (0.36, 0.0), (0.72, 0.0), (0.86, 30.0)),
            "left_hip_flexion": ((0.20, 24.0), (0.36, -1.0), (0.72, -1.0), (0.86, 17.0)),
            "left_hip_abduction": ((0.20, 0.0), (0.36, -7.0), (0.72, -7.0), (0.86, 0.0)),
            "left_foot_pitch": ((0.22, 0.0), (0.36, -34.0), (0.72, -34.0), (0.84, 0.0)),
            "right_knee": ((0.20, 42.0), (0.40, 104.0), (0.70, 104.0), (0.86, 30.0)),
            "right_hip_flexion": ((0.20, 24.0), (0.40, 62.0), (0.70, 62.0), (0.86, 17.0)),
            "right_hip_abduction": ((0.22, 0.0), (0.40, 26.0), (0.70, 26.0), (0.84, 0.0)),
            "right_hip_rotation": ((0.22, 0.0), (0.40, 30.0), (0.70, 30.0), (0.84, 0.0)),
            "right_foot_pitch": ((0.24, 0.0), (0.40, -48.0), (0.70, -48.0), (0.82, 0.0)),
            "twist": ((0.20, -22.0), (0.36, 8.0), (0.60, 0.0)),
            "both_shoulder_elevation": ((0.18, 58.0), (0.40, 54.0), (0.68, 54.0), (0.86, 58.0)),
            "both_shoulder_plane": ((0.18, 0.0), (0.40, 42.0), (0.66, 42.0), (0.86, 0.0)),
            "both_shoulder_rotation": ((0.18, 10.0), (0.40, -30.0), (0.66, -30.0), (0.86, 10.0)),
            "both_elbow": ((0.18, 8.0), (0.40, 62.0), (0.66, 62.0), (0.86, 8.0)),
        },
    ),
    # The toes draw a half circle near the floor: forward, aside, back.
    "rond_de_jambe": Motion(
        period_s=2.6,
        base={},
        planted=("left", "right"),
        alternates=True,
        tracks={
            "pelvis_x": ((0.14, -0.12), (0.86, -0.12)),
            "left_foot_x": ((0.28, -0.10), (0.50, 0.30), (0.72, -0.06), (0.90, 0.0)),
            "left_foot_z": ((0.10, 0.0), (0.28, 0.42), (0.50, 0.06), (0.72, -0.42), (0.92, 0.0)),
            "left_foot_y": ((0.16, 0.02), (0.40, 0.05), (0.62, 0.05), (0.86, 0.02)),
            "left_foot_pitch": ((0.08, 0.0), (0.28, -30.0), (0.50, -44.0), (0.72, -58.0), (0.90, 0.0)),
            "left_foot_yaw": ((0.20, 22.0), (0.80, 22.0)),
            "both_shoulder_elevation": ((0.16, 60.0), (0.86, 60.0)),
            "both_shoulder_plane": ((0.20, -12.0), (0.80, -12.0)),
            "lean": ((0.50, 0.0), (0.72, 10.0)),
            "right_foot_yaw": ((0.18, 10.0), (0.82, 10.0)),
        },
    ),
}
