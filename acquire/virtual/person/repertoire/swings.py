"""Throws, swings and turns of the trunk, mimed with empty hands; feet stay planted or step once."""

from __future__ import annotations

from collections.abc import Mapping

from acquire.virtual.person.motion import Motion

_WIDE = {"left_foot_x": 0.12, "right_foot_x": -0.12, "both_foot_yaw": 8.0}

#: Swings by stored name.
SWINGS: Mapping[str, Motion] = {
    # From side to side: the repetition goes left, the next one right.
    "twist": Motion(
        period_s=1.3,
        base={
            "both_shoulder_elevation": 66.0,
            "both_shoulder_plane": 52.0,
            "both_shoulder_rotation": -40.0,
            "both_elbow": 96.0,
            "pelvis_y": -0.03,
        },
        planted=("left", "right"),
        alternates=True,
        tracks={
            "twist": ((0.46, 48.0), (0.54, 48.0)),
            "turn": ((0.46, 12.0), (0.54, 12.0)),
            "nod": ((0.50, 2.0),),
            "pelvis_x": ((0.46, 0.02), (0.54, 0.02)),
            "right_foot_pitch": ((0.20, 0.0), (0.46, -12.0), (0.54, -12.0), (0.80, 0.0)),
            "both_elbow": ((0.46, -8.0), (0.54, -8.0)),
        },
    ),
    # Both hands at the right shoulder, weight on the right leg; a step with the left and the swing around to the left.
    "batting": Motion(
        period_s=1.9,
        base=_WIDE
        | {
            "pelvis_y": -0.08,
            "pelvis_z": -0.03,
            "lean": 14.0,
            "twist": -34.0,
            "pelvis_x": -0.04,
            "left_shoulder_elevation": 48.0,
            "left_shoulder_plane": 143.0,
            "left_shoulder_rotation": -64.0,
            "left_elbow": 42.0,
            "right_shoulder_elevation": 59.0,
            "right_shoulder_plane": 16.0,
            "right_shoulder_rotation": -32.0,
            "right_elbow": 122.0,
        },
        planted=("left", "right"),
        tracks={
            "left_foot_x": ((0.08, 0.0), (0.24, 0.12), (0.80, 0.12), (0.94, 0.0)),
            "left_foot_y": ((0.08, 0.0), (0.16, 0.06), (0.24, 0.0), (0.80, 0.0), (0.87, 0.05), (0.94, 0.0)),
            "pelvis_x": ((0.12, -0.06), (0.26, 0.0), (0.46, 0.12), (0.66, 0.12), (0.84, -0.02)),
            "turn": ((0.16, -8.0), (0.44, 28.0), (0.62, 30.0)),
            "twist": ((0.16, -12.0), (0.46, 66.0), (0.60, 70.0)),
            "right_foot_pitch": ((0.26, 0.0), (0.46, -26.0), (0.64, -28.0), (0.80, 0.0)),
            "right_shoulder_elevation": ((0.18, 18.0), (0.38, -14.0), (0.60, 20.0), (0.66, 18.0)),
            "right_shoulder_plane": ((0.18, -7.0), (0.38, 54.0), (0.60, 126.0), (0.66, 130.0)),
            "right_elbow": ((0.18, 10.0), (0.38, -62.0), (0.48, -114.0), (0.58, -114.0), (0.66, -98.0)),
            "left_shoulder_elevation": ((0.18, 3.0), (0.38, 9.0), (0.48, 10.0), (0.66, 40.0)),
            "left_shoulder_plane": ((0.18, 8.0), (0.38, -18.0), (0.60, -102.0), (0.66, -108.0)),
            "left_elbow": ((0.18, 6.0), (0.38, -37.0), (0.47, -37.0), (0.66, 56.0)),
        },
    ),
    # Overarm with the right hand, a step with the left foot.
    "ball_throw": Motion(
        period_s=2.1,
        base={"left_foot_z": -0.12, "right_foot_z": -0.16, "pelvis_z": -0.15, "pelvis_y": -0.02},
        planted=("left", "right"),
        tracks={
            "left_foot_z": ((0.22, 0.0), (0.38, 0.30), (0.74, 0.30), (0.94, 0.0)),
            "left_foot_y": ((0.18, 0.0), (0.28, 0.09), (0.38, 0.0), (0.74, 0.0), (0.84, 0.05), (0.94, 0.0)),
            "pelvis_z": ((0.22, -0.05), (0.48, 0.22), (0.66, 0.24)),
            "pelvis_x": ((0.24, -0.07), (0.46, 0.03), (0.66, 0.03)),
            "pelvis_y": ((0.26, -0.03), (0.48, -0.07), (0.66, -0.06)),
            "right_foot_pitch": ((0.36, 0.0), (0.52, -30.0), (0.70, -30.0), (0.90, 0.0)),
            "turn": ((0.30, -26.0), (0.50, 14.0), (0.62, 18.0)),
            "twist": ((0.32, -30.0), (0.50, 24.0), (0.62, 30.0)),
            "lean": ((0.32, -8.0), (0.52, 16.0), (0.64, 20.0)),
            "right_shoulder_elevation": ((0.12, 6.0), (0.32, 84.0), (0.44, 92.0), (0.56, 56.0), (0.68, 28.0)),
            "right_shoulder_plane": ((0.32, -36.0), (0.44, -10.0), (0.54, 52.0), (0.68, 70.0)),
            "right_shoulder_rotation": ((0.14, 0.0), (0.34, 96.0), (0.43, 104.0), (0.54, -8.0), (0.70, -30.0)),
            "right_elbow": ((0.14, 10.0), (0.32, 78.0), (0.43, 76.0), (0.54, 4.0), (0.68, 12.0)),
            "left_shoulder_elevation": ((0.32, 66.0), (0.42, 60.0), (0.56, 10.0)),
            "left_shoulder_plane": ((0.32, 46.0), (0.42, 40.0), (0.60, 10.0)),
            "left_elbow": ((0.32, 6.0), (0.56, 60.0), (0.70, 50.0)),
        },
    ),
    # Underarm with the right hand: back and up, then forward past the leg, low, the left knee bent.
    "bowling": Motion(
        period_s=2.4,
        base={"both_foot_z": -0.15, "pelvis_z": -0.15},
        planted=("left", "right"),
        tracks={
            "left_foot_z": ((0.24, 0.0), (0.44, 0.34), (0.74, 0.34), (0.94, 0.0)),
            "left_foot_x": ((0.24, 0.0), (0.44, -0.08), (0.74, -0.08), (0.94, 0.0)),
            "left_foot_y": ((0.24, 0.0), (0.34, 0.06), (0.44, 0.0), (0.74, 0.0), (0.84, 0.06), (0.94, 0.0)),
            "right_foot_z": ((0.10, 0.0), (0.40, -0.06), (0.76, -0.06), (0.94, 0.0)),
            "right_foot_pitch": ((0.38, 0.0), (0.50, -38.0), (0.66, -42.0), (0.86, 0.0)),
            "pelvis_z": ((0.26, -0.02), (0.52, 0.20), (0.66, 0.22)),
            "pelvis_y": ((0.26, -0.05), (0.52, -0.22), (0.64, -0.22)),
            "pelvis_x": ((0.24, -0.06), (0.52, 0.04), (0.66, 0.04)),
            "lean": ((0.26, 12.0), (0.50, 36.0), (0.62, 34.0)),
            "nod": ((0.50, -12.0), (0.62, -12.0)),
            "twist": ((0.30, -26.0), (0.52, 6.0), (0.64, 16.0)),
            "turn": ((0.30, -8.0), (0.52, 2.0), (0.64, 4.0)),
            "right_shoulder_elevation": ((0.30, 46.0), (0.34, 46.0), (0.46, -6.0), (0.60, 84.0), (0.68, 84.0)),
            "right_shoulder_plane": ((0.18, -100.0), (0.40, -100.0), (0.50, 60.0), (0.70, 60.0), (0.94, 0.0)),
            "right_shoulder_rotation": ((0.24, 25.0), (0.70, 25.0)),
            "right_elbow": ((0.30, -10.0), (0.48, -12.0), (0.64, 22.0)),
            "left_shoulder_elevation": ((0.30, 30.0), (0.52, 46.0), (0.66, 44.0)),
            "left_shoulder_plane": ((0.30, 10.0), (0.52, -30.0), (0.66, -30.0)),
        },
    ),
    # Both hands from above the right shoulder down to the left knee.
    "woodchop": Motion(
        period_s=2.0,
        base=_WIDE
        | {
            "pelvis_y": -0.04,
            "lean": 6.0,
            "both_shoulder_elevation": 49.0,
            "both_shoulder_plane": 110.0,
            "both_shoulder_rotation": -21.0,
            "both_elbow": 10.0,
        },
        planted=("left", "right"),
        alternates=True,
        tracks={
            "right_shoulder_elevation": ((0.28, 38.0), (0.36, 38.0), (0.58, -10.0), (0.66, -10.0)),
            "right_shoulder_plane": ((0.30, -14.0), (0.58, 12.0), (0.66, 12.0)),
            "right_elbow": ((0.28, 58.0), (0.36, 58.0), (0.56, 0.0)),
            "left_shoulder_elevation": ((0.28, 46.0), (0.36, 46.0), (0.58, -10.0), (0.66, -10.0)),
            "left_shoulder_plane": ((0.30, 15.0), (0.58, -16.0), (0.66, -16.0)),
            "left_elbow": ((0.28, 32.0), (0.36, 32.0), (0.56, -6.0), (0.66, -6.0)),
            "twist": ((0.30, -30.0), (0.58, 34.0), (0.66, 34.0)),
            "turn": ((0.30, -10.0), (0.58, 12.0), (0.66, 12.0)),
            "lean": ((0.30, -8.0), (0.58, 30.0), (0.66, 30.0)),
            "bend": ((0.30, 6.0), (0.58, -8.0), (0.66, -8.0)),
            "pelvis_x": ((0.30, -0.08), (0.58, 0.09), (0.66, 0.09)),
            "pelvis_y": ((0.28, 0.02), (0.58, -0.16), (0.66, -0.16)),
            "left_foot_pitch": ((0.14, 0.0), (0.30, -10.0), (0.46, 0.0)),
            "right_foot_pitch": ((0.44, 0.0), (0.58, -20.0), (0.66, -20.0), (0.82, 0.0)),
        },
    ),
}
