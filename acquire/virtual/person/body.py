"""The virtual person's skeleton: from joint angles to positions, supports and segment masses.

Axes: x to the person's left, y up, z to where the person faces; metres, the floor at y = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dataset.pose.skeleton import BODY_25, JOINT
from dataset.support.arrays import FloatArray

SIDES = ("left", "right")

#: Joint angles (degrees) and pelvis displacements (metres) that make a pose, in vector order. Hip angles are
#: against the vertical, not against a tilted pelvis; ``foot_pitch`` is against the floor, toes up positive.
DOFS = (
    "lift", "shift_x", "shift_z", "turn", "lean", "bend", "twist", "nod",
    *(f"{side}_{angle}" for side in SIDES for angle in (
        "shoulder_elevation", "shoulder_plane", "shoulder_rotation", "elbow",
        "hip_flexion", "hip_abduction", "hip_rotation", "knee", "foot_pitch")),
)  # fmt: skip

#: Index of a degree of freedom by name.
DOF = {name: i for i, name in enumerate(DOFS)}

#: Degrees of freedom whose sign changes when a pose is mirrored.
_ODD = ("shift_x", "turn", "bend", "twist")

STAND = {
    "lean": 2.0,
    "left_shoulder_elevation": 11.0, "left_shoulder_plane": 25.0, "left_shoulder_rotation": -25.0, "left_elbow": 16.0,
    "right_shoulder_elevation": 11.0, "right_shoulder_plane": 25.0, "right_shoulder_rotation": -25.0,
    "right_elbow": 16.0,
    "left_hip_abduction": 6.0, "left_hip_rotation": 10.0, "left_hip_flexion": 2.0, "left_knee": 4.0,
    "right_hip_abduction": 6.0, "right_hip_rotation": 10.0, "right_hip_flexion": 2.0, "right_knee": 4.0,
}  # fmt: skip

# Points under the foot that carry weight compete by height over about this many metres.
_SUPPORT_SOFTNESS_M = 0.012


def pose_vector(angles: Mapping[str, float]) -> FloatArray:
    """Return the pose vector, shape (len(DOFS),), of named angles; others are 0."""
    vector = np.zeros(len(DOFS))
    for name, value in angles.items():
        vector[DOF[name]] = value
    return vector


def mirrored(pose: FloatArray) -> FloatArray:
    """Return poses, shape (..., len(DOFS)), with left and right exchanged."""
    out = pose[..., _MIRROR_ORDER].copy()
    out[..., [DOF[name] for name in _ODD]] *= -1.0
    return out


def _other_side(name: str) -> str:
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)


_MIRROR_ORDER = [DOF[_other_side(name)] for name in DOFS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One person's build.

    Attributes
    ----------
    height_m, mass_kg : float
    leg, arm : float
        Length of legs and arms relative to the usual for the height; longer legs mean a shorter trunk.
    """

    height_m: float = 1.75
    mass_kg: float = 72.0
    leg: float = 1.0
    arm: float = 1.0

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Body:
        """Draw a person."""
        height_m = float(rng.uniform(1.62, 1.86))
        return cls(
            height_m=height_m,
            mass_kg=float(rng.uniform(20.0, 28.0)) * height_m**2,
            leg=float(rng.uniform(0.96, 1.04)),
            arm=float(rng.uniform(0.95, 1.05)),
        )

    @property
    def girth(self) -> float:
        """Thickness of limbs and trunk relative to a person of 23.5 kg/m^2."""
        return float(np.sqrt(self.mass_kg / self.height_m**2 / 23.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """Positions of the body at T times.

    Attributes
    ----------
    joints : ndarray, shape (T, 25, 3)
        BODY_25 positions.
    bends_towards : dict of ndarray, shape (T, 3)
        For ``left_elbow``, ``left_knee``, ...: the vector towards which the distal segment swings in flexion; of unit
        length but for the shoulders, where it vanishes between flexion forward and to the back.
    support : dict of ndarray, shape (T,)
        Share of the body's weight on the ``left`` and the ``right`` foot.
    on_toes : dict of ndarray, shape (T,)
        Share of each foot's weight that its toes must carry: 0.5 for a foot that is flat.
    """

    joints: FloatArray
    bends_towards: dict[str, FloatArray]
    support: dict[str, FloatArray]
    on_toes: dict[str, FloatArray]

    def at(self, name: str) -> FloatArray:
        """Return the positions, shape (T, 3), of a joint."""
        return self.joints[:, JOINT[name]]


def _rotation(axis: int, angle_deg: FloatArray) -> FloatArray:
    """Return rotation matrices, shape (T, 3, 3), about axis 0, 1 or 2."""
    angle = np.radians(angle_deg)
    cosine, sine = np.cos(angle), np.sin(angle)
    out = np.zeros((len(angle), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[:, axis, axis] = 1.0
    out[:, i, i] = out[:, j, j] = cosine
    out[:, i, j] = -sine
    out[:, j, i] = sine
    return out


def _apply(rotation: FloatArray, x: float, y: float, z: float) -> FloatArray:
    return np.asarray(rotation @ np.array([x, y, z]), dtype=np.float64)


def posture(body: Body, pose: FloatArray) -> Posture:
    """Return the posture of poses by forward kinematics.

    Parameters
    ----------
    body : Body
    pose : ndarray, shape (T, len(DOFS))

    Notes
    -----
    Segment lengths are fractions of the height after Winter (2009), Biomechanics and Motor Control of Human
    Movement, table 4.1. The pelvis is placed so that what carries weight rests on the floor and does not slide.
    """
    h = body.height_m
    thigh_m, shank_m = 0.245 * h * body.leg, 0.246 * h * body.leg
    upper_arm_m, forearm_m = 0.172 * h * body.arm, 0.150 * h * body.arm
    trunk_m = 0.288 * h - (thigh_m + shank_m - 0.491 * h)
    angle = {name: pose[:, i] for name, i in DOF.items()}
    joints = np.zeros((len(pose), len(BODY_25), 3))
    bends: dict[str, FloatArray] = {}

    turn = _rotation(1, angle["turn"])
    trunk = turn @ _rotation(0, angle["lean"]) @ _rotation(2, -angle["bend"]) @ _rotation(1, angle["twist"])
    # The gaze stays ahead: the neck compensates part of the trunk's lean and twist.
    head = trunk @ _rotation(1, -0.6 * angle["twist"]) @ _rotation(0, angle["nod"] - 0.6 * angle["lean"])
    neck = _apply(trunk, 0.0, trunk_m, 0.0)

    def put(name: str, position: FloatArray) -> FloatArray:
        joints[:, JOINT[name]] = position
        return position

    put("neck", neck)
    put("nose", neck + _apply(head, 0.0, 0.098 * h, 0.062 * h))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        put(f"{side}_eye", neck + _apply(head, sign * 0.019 * h, 0.118 * h, 0.051 * h))
        put(f"{side}_ear", neck + _apply(head, sign * 0.043 * h, 0.109 * h, 0.004 * h))
        mirror = np.array([sign, 1.0, 1.0])
        a = {key: angle[f"{side}_{key}"] for key in (
            "shoulder_elevation", "shoulder_plane", "shoulder_rotation", "elbow", "hip_flexion", "hip_abduction",
            "hip_rotation", "knee", "foot_pitch")}  # fmt: skip

        # The arm as a left arm in the trunk's frame, then mirrored; elevation in a plane, without axial spin.
        arm = (
            _rotation(1, -a["shoulder_plane"])
            @ _rotation(2, a["shoulder_elevation"])
            @ _rotation(1, a["shoulder_plane"] + a["shoulder_rotation"])
        )
        forearm = arm @ _rotation(0, -a["elbow"])
        # The shoulder girdle rises with the arm.
        raised = 0.02 * h * (1.0 - np.cos(np.radians(a["shoulder_elevation"]))) / 2.0
        shoulder = put(f"{side}_shoulder", neck + _apply(trunk, sign * 0.108 * h, 0.0, 0.0) + _along_y(trunk, raised))
        elbow = put(f"{side}_elbow", shoulder + _mirrored(trunk, arm, (0.0, -upper_arm_m, 0.0), mirror))
        put(f"{side}_wrist", elbow + _mirrored(trunk, forearm, (0.0, -forearm_m, 0.0), mirror))
        bends[f"{side}_elbow"] = _mirrored(trunk, arm, (0.0, 0.0, 1.0), mirror)
        # A hanging arm flexes forward, one that points forward, up, one that is raised, back; one to the side, forward.
        across, up, ahead = np.moveaxis(arm @ np.array([0.0, -1.0, 0.0]), 1, 0)
        bends[f"{side}_shoulder"] = _along_y(trunk, ahead) + trunk[:, :, 2] * (across**2 - up)[:, None]

        thigh = _rotation(0, -a["hip_flexion"]) @ _rotation(2, a["hip_abduction"]) @ _rotation(1, a["hip_rotation"])
        shank = thigh @ _rotation(0, a["knee"])
        hip = put(f"{side}_hip", _apply(turn, sign * 0.056 * h, 0.0, 0.0))
        knee = put(f"{side}_knee", hip + _mirrored(turn, thigh, (0.0, -thigh_m, 0.0), mirror))
        ankle = put(f"{side}_ankle", knee + _mirrored(turn, shank, (0.0, -shank_m, 0.0), mirror))
        bends[f"{side}_knee"] = _mirrored(turn, thigh, (0.0, 0.0, -1.0), mirror)
        bends[f"{side}_hip"] = _mirrored(turn, thigh, (0.0, 0.0, 1.0), mirror)
        foot = _rotation(1, a["hip_rotation"]) @ _rotation(0, -a["foot_pitch"])
        put(f"{side}_heel", ankle + _mirrored(turn, foot, (0.0, -0.039 * h, -0.030 * h), mirror))
        put(f"{side}_big_toe", ankle + _mirrored(turn, foot, (-0.012 * h, -0.039 * h, 0.100 * h), mirror))
        put(f"{side}_small_toe", ankle + _mirrored(turn, foot, (0.024 * h, -0.039 * h, 0.088 * h), mirror))

    support, on_toes, pelvis = _stand_on_floor(body, joints, angle)
    joints += pelvis[:, None, :]
    return Posture(joints=joints, bends_towards=bends, support=support, on_toes=on_toes)


def standing_pelvis(body: Body) -> FloatArray:
    """Return where the pelvis is in standing, shape (3,)."""
    return np.asarray(posture(body, pose_vector(STAND)[None]).at("mid_hip")[0])


def _mirrored(
    frame: FloatArray, limb: FloatArray, vector: tuple[float, float, float], mirror: FloatArray
) -> FloatArray:
    local = limb @ np.array(vector)
    return np.asarray(np.einsum("tij,tj->ti", frame, local * mirror), dtype=np.float64)


def _along_y(frame: FloatArray, length: FloatArray) -> FloatArray:
    return np.asarray(frame[:, :, 1] * length[:, None], dtype=np.float64)


def _stand_on_floor(
    body: Body, joints: FloatArray, angle: dict[str, FloatArray]
) -> tuple[dict[str, FloatArray], dict[str, FloatArray], FloatArray]:
    """Return each foot's share of the weight, that of its toes, and the pelvis position (T, 3)."""
    names = [f"{side}_{part}" for side in SIDES for part in ("heel", "big_toe")]
    points = joints[:, [JOINT[n] for n in names]]  # relative to the pelvis, (T, 4, 3)
    low = points[:, :, 1] - points[:, :, 1].min(axis=1, keepdims=True)
    weight = np.exp(-low / _SUPPORT_SOFTNESS_M)
    weight /= weight.sum(axis=1, keepdims=True)
    pelvis = -np.einsum("tp,tpi->ti", weight, points)
    # A standing foot does not slide: each of its points has a place on the floor.
    pelvis += np.einsum("tp,pi->ti", weight, _standing_places(body.height_m))
    pelvis += np.stack([angle["shift_x"], angle["lift"], angle["shift_z"]], axis=1)
    support: dict[str, FloatArray] = {}
    on_toes: dict[str, FloatArray] = {}
    for i, side in enumerate(SIDES):
        share = weight[:, 2 * i : 2 * i + 2]
        support[side] = share.sum(axis=1)
        on_toes[side] = share[:, 1] / np.maximum(support[side], 1e-12)
    return support, on_toes, pelvis


def _standing_places(height_m: float) -> FloatArray:
    """Return where heel and toe of each foot stand, shape (4, 3)."""
    across, heel, toe = 0.107 * height_m, -0.03 * height_m, 0.10 * height_m
    return np.array([[across, 0, heel], [across, 0, toe], [-across, 0, heel], [-across, 0, toe]])
