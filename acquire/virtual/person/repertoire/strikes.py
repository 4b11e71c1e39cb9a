"""Punches. The left arm's repetition is written down; every second one is its mirror image.

The front punch strikes the air. The hook meets a pad with the fist, the elbow punch with the elbow.
"""

from __future__ import annotations

from collections.abc import Mapping

from acquire.virtual.person.motion import Motion, Strike
from acquire.virtual.person.repertoire.guard import GUARD

#: Punches by stored name.
STRIKES: Mapping[str, Motion] = {
    "front_punch": Motion(
        period_s=0.95,
        base=GUARD,
        alternates=True,
        tracks={
            "left_shoulder_elevation": ((0.12, -4.0), (0.46, 48.0), (0.56, 46.0)),
            "left_shoulder_plane": ((0.12, -4.0), (0.46, 10.0), (0.56, 10.0)),
            "left_shoulder_rotation": ((0.46, -24.0), (0.56, -24.0)),
            "left_elbow": ((0.12, 8.0), (0.46, -106.0), (0.54, -104.0)),
            "twist": ((0.14, 8.0), (0.46, -26.0), (0.56, -24.0)),
            "turn": ((0.14, 2.0), (0.46, -9.0), (0.56, -8.0)),
            "lean": ((0.46, 6.0), (0.56, 6.0)),
            "left_knee": ((0.46, 14.0), (0.58, 12.0)),
            "left_hip_flexion": ((0.46, 4.0), (0.58, 4.0)),
            "left_foot_pitch": ((0.20, 0.0), (0.46, -16.0), (0.58, -15.0)),
            "right_elbow": ((0.46, 8.0),),
        },
    ),
    "hook_punch": Motion(
        period_s=1.15,
        base=GUARD,
        alternates=True,
        strike=Strike(joint="left_wrist", phase=0.52, push_n=(40.0, 0.0, -55.0)),
        tracks={
            "left_shoulder_elevation": ((0.28, 30.0), (0.52, 50.0), (0.62, 46.0)),
            "left_shoulder_plane": ((0.28, -70.0), (0.52, 8.0), (0.62, 8.0)),
            "left_shoulder_rotation": ((0.28, 14.0), (0.52, -66.0), (0.62, -62.0)),
            "left_elbow": ((0.28, -34.0), (0.52, -42.0), (0.66, -20.0)),
            "twist": ((0.26, 16.0), (0.52, -34.0), (0.62, -32.0)),
            "turn": ((0.26, 5.0), (0.52, -14.0), (0.62, -13.0)),
            "left_knee": ((0.26, 4.0), (0.50, 14.0), (0.65, 8.0)),
            "left_hip_flexion": ((0.26, 2.0), (0.50, 9.0), (0.65, 5.0)),
            "left_foot_pitch": ((0.30, 0.0), (0.52, -20.0), (0.64, -18.0)),
            "right_elbow": ((0.50, 10.0),),
        },
    ),
    "elbow_punch": Motion(
        period_s=1.10,
        base=GUARD,
        alternates=True,
        strike=Strike(joint="left_elbow", phase=0.52, push_n=(40.0, 0.0, -55.0)),
        tracks={
            "left_shoulder_elevation": ((0.28, 40.0), (0.52, 54.0), (0.62, 50.0)),
            "left_shoulder_plane": ((0.28, -62.0), (0.52, 30.0), (0.62, 28.0)),
            "left_shoulder_rotation": ((0.28, 10.0), (0.52, -62.0), (0.62, -58.0)),
            "left_elbow": ((0.28, 18.0), (0.52, 22.0), (0.62, 22.0)),
            "twist": ((0.26, 15.0), (0.52, -38.0), (0.62, -36.0)),
            "turn": ((0.26, 4.0), (0.52, -14.0), (0.62, -13.0)),
            "left_knee": ((0.26, 4.0), (0.50, 14.0), (0.65, 8.0)),
            "left_hip_flexion": ((0.26, 2.0), (0.50, 9.0), (0.65, 5.0)),
            "left_foot_pitch": ((0.30, 0.0), (0.52, -18.0), (0.64, -16.0)),
            "right_elbow": ((0.50, 8.0),),
        },
    ),
}
