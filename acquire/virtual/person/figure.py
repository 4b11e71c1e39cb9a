"""Draws the virtual person as a shaded figure in a room, quickly and so that a pose network recognises a person."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from acquire.virtual.film import HEIGHT, WIDTH
from dataset.pose.skeleton import JOINT
from dataset.support.arrays import FloatArray

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Paint = Callable[[], None]
Add = Callable[[float, Paint], None]

_SHIFT = 3  # OpenCV draws with 1/8 pixel
_SUB = 1 << _SHIFT


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colours in BGR and the camera's place."""

    skin: Colour = (138, 168, 220)
    shirt: Colour = (66, 62, 168)
    trousers: Colour = (112, 62, 42)
    shoes: Colour = (40, 38, 38)
    hair: Colour = (34, 44, 66)
    wall: Colour = (178, 186, 190)
    floor: Colour = (104, 124, 140)
    yaw_deg: float = 20.0
    distance_m: float = 3.7

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Look:
        """Draw clothes, room and the camera's place."""
        skins: tuple[Colour, ...] = ((138, 168, 220), (120, 150, 205), (96, 126, 182), (150, 180, 228))
        shirts: tuple[Colour, ...] = ((66, 62, 168), (150, 88, 40), (70, 120, 60), (48, 120, 190), (120, 60, 120))
        trousers: tuple[Colour, ...] = ((112, 62, 42), (60, 58, 56), (90, 74, 60))
        return cls(
            skin=skins[rng.integers(len(skins))],
            shirt=shirts[rng.integers(len(shirts))],
            trousers=trousers[rng.integers(len(trousers))],
            yaw_deg=float(rng.uniform(12.0, 26.0)) * float(rng.choice([-1.0, 1.0])),
            distance_m=float(rng.uniform(3.5, 3.9)),
        )


class Figure:
    """A camera's view of one person.

    Parameters
    ----------
    look : Look
    height_m : float
        The person's height.
    girth : float
        Thickness of trunk and limbs, 1 is usual.
    width, height : int
        Size of the picture in pixels.
    """

    def __init__(
        self, look: Look, height_m: float = 1.75, width: int = WIDTH, height: int = HEIGHT, *, girth: float = 1.0
    ) -> None:
        self.width = width
        self.height = height
        self._look = look
        self._h = height_m
        self._girth = girth
        yaw = np.radians(look.yaw_deg)
        # Rows: image right, image down, away from the camera. The camera stands in front (+z) and looks back.
        self._rotation = np.array(
            [[np.cos(yaw), 0.0, -np.sin(yaw)], [0.0, -1.0, 0.0], [-np.sin(yaw), 0.0, -np.cos(yaw)]]
        )
        self._eye_m = 1.05
        self._focal = 1.46 * height * look.distance_m / 3.7
        self._room = self._paint_room()

    # -- geometry -------------------------------------------------------------------------------------------------

    def project(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return pixel positions (..., 2) and pixels per metre (...) of world points (..., 3)."""
        camera = (points - np.array([0.0, self._eye_m, 0.0])) @ self._rotation.T
        scale = self._focal / np.maximum(camera[..., 2] + self._look.distance_m, 0.3)
        pixels = camera[..., :2] * scale[..., None] + np.array([self.width / 2.0, self.height * 0.49])
        return pixels, scale

    # -- drawing --------------------------------------------------------------------------------------------------

    def draw(self, joints: FloatArray) -> Image:
        """Return the picture, shape (height, width, 3) in BGR, of BODY_25 joints, shape (25, 3) in metres."""
        image = self._room.copy()
        look, thick = self._look, self._h * self._girth
        pixel, scale = self.project(joints)
        depth = -scale  # larger scale is nearer
        at = {name: (pixel[i], float(scale[i])) for name, i in JOINT.items()}

        # Arms before the chest hide it from a camera in front, not from one behind.
        arms = -6.0 if self._faces(joints) else 0.0
        self._shadow(image, joints)
        parts: list[tuple[float, Paint]] = []

        def add(nearness: float, paint: Paint) -> None:
            parts.append((nearness, paint))

        def limb(a: str, b: str, wide: float, narrow: float, colour: Colour, bias: float = 0.0) -> None:
            nearness = float(depth[JOINT[a]] + depth[JOINT[b]]) / 2.0 + bias
            (p, s), (q, t) = at[a], at[b]
            add(nearness, lambda: _tapered(image, p, q, wide * thick * s, narrow * thick * t, colour))

        for side in ("left", "right"):
            limb(f"{side}_hip", f"{side}_knee", 0.050, 0.034, look.trousers)
            limb(f"{side}_knee", f"{side}_ankle", 0.035, 0.022, look.trousers, -0.3)
            self._foot(add, image, joints, side)
            limb(f"{side}_shoulder", f"{side}_elbow", 0.032, 0.025, look.shirt, arms)
            limb(f"{side}_elbow", f"{side}_wrist", 0.023, 0.016, look.skin, arms - 1.0)
            self._hand(add, image, joints, side, arms - 2.0)
        add(float(depth[JOINT["mid_hip"]] + depth[JOINT["neck"]]) / 2.0, lambda: self._torso(image, joints))
        add(float(depth[JOINT["nose"]]), lambda: self._head(image, joints))
        for _, paint in sorted(parts, key=lambda part: -part[0]):
            paint()
        return np.asarray(cv2.GaussianBlur(image, (3, 3), 0.8), dtype=np.uint8)

    def _faces(self, joints: FloatArray) -> bool:
        """Return whether the chest is towards the camera."""
        across = joints[JOINT["left_shoulder"]] - joints[JOINT["right_shoulder"]]
        chest = np.cross(across, joints[JOINT["neck"]] - joints[JOINT["mid_hip"]])
        return float(self._rotation[2] @ chest) < 0.0

    def _foot(self, add: Add, image: Image, joints: FloatArray, side: str) -> None:
        names = [f"{side}_{n}" for n in ("ankle", "heel", "big_toe", "small_toe")]
        ankle, heel, big, small = (joints[JOINT[n]] for n in names)
        toe = (big + small) / 2.0
        points, scale = self.project(np.stack([heel + (ankle - heel) * 0.35, toe + (ankle - heel) * 0.25, ankle]))
        s = float(scale.mean()) * self._h
        nearness = -float(scale.mean()) - 0.5

        def call() -> None:
            _tapered(image, points[2], points[0], 0.024 * s, 0.026 * s, self._look.shoes)
            _tapered(image, points[0], points[1], 0.026 * s, 0.021 * s, self._look.shoes)

        add(nearness, call)

    def _hand(self, add: Add, image: Image, joints: FloatArray, side: str, bias: float) -> None:
        wrist, elbow = joints[JOINT[f"{side}_wrist"]], joints[JOINT[f"{side}_elbow"]]
        along = (wrist - elbow) / max(float(np.linalg.norm(wrist - elbow)), 1e-6)
        points, scale = self.project(np.stack([wrist + along * 0.012 * self._h, wrist + along * 0.062 * self._h]))
        s = float(scale.mean()) * self._h
        colour = self._look.skin
        add(-float(scale.mean()) + bias, lambda: _tapered(image, points[0], points[1], 0.020 * s, 0.018 * s, colour))

    def _torso(self, image: Image, joints: FloatArray) -> None:
        h = self._h * self._girth
        neck, hips = joints[JOINT["neck"]], joints[JOINT["mid_hip"]]
        right, left = joints[JOINT["right_shoulder"]], joints[JOINT["left_shoulder"]]
        hip_r, hip_l = joints[JOINT["right_hip"]], joints[JOINT["left_hip"]]
        across = (left - right) / max(float(np.linalg.norm(left - right)), 1e-6)
        hips_across = (hip_l - hip_r) / max(float(np.linalg.norm(hip_l - hip_r)), 1e-6)
        up = (neck - hips) / max(float(np.linalg.norm(neck - hips)), 1e-6)
        waist = hips + (neck - hips) * 0.42
        outline = np.stack(
            [
                neck + across * 0.045 * h + up * 0.012 * h,
                neck + across * 0.098 * h - up * 0.004 * h,
                neck + across * 0.105 * h - up * 0.060 * h,
                waist + across * 0.080 * h,
                hips + hips_across * 0.095 * h + up * 0.02 * h,
                hips - hips_across * 0.095 * h + up * 0.02 * h,
                waist - across * 0.080 * h,
                neck - across * 0.105 * h - up * 0.060 * h,
                neck - across * 0.098 * h - up * 0.004 * h,
                neck - across * 0.045 * h + up * 0.012 * h,
            ]
        )
        pixel, scale = self.project(np.concatenate([outline, np.stack([neck, hips, waist, left, right, hip_l, hip_r])]))
        s = float(scale.mean()) * h
        shirt, trousers = self._look.shirt, self._look.trousers
        _tapered(image, pixel[15], pixel[16], 0.052 * s, 0.052 * s, trousers)
        for i in (13, 14):
            cv2.circle(image, _sub(pixel[i]), round(0.034 * s * _SUB), _dim(shirt, 0.85), -1, cv2.LINE_AA, _SHIFT)
        _polygon(image, pixel[:10], _dim(shirt, 0.74))
        middle = pixel[:10].mean(axis=0)
        shade = pixel[:10] * 0.80 + middle * 0.20 + np.array([-0.012 * s, -0.008 * s])
        _polygon(image, shade, _dim(shirt, 0.90))
        shade = pixel[:10] * 0.52 + middle * 0.48 + np.array([-0.022 * s, -0.016 * s])
        _polygon(image, shade, shirt)
        if not self._faces(joints):
            return
        # The neckline.
        cv2.ellipse(image, (tuple(map(float, pixel[10])), (0.075 * s, 0.045 * s), 0.0), _dim(self._look.skin, 0.9), -1,
                    cv2.LINE_AA)  # fmt: skip

    def _head(self, image: Image, joints: FloatArray) -> None:
        h, look = self._h, self._look
        neck, nose = joints[JOINT["neck"]], joints[JOINT["nose"]]
        ear_l, ear_r = joints[JOINT["left_ear"]], joints[JOINT["right_ear"]]
        eye_l, eye_r = joints[JOINT["left_eye"]], joints[JOINT["right_eye"]]
        ears, eyes = (ear_l + ear_r) / 2.0, (eye_l + eye_r) / 2.0
        across = (ear_l - ear_r) / max(float(np.linalg.norm(ear_l - ear_r)), 1e-6)
        front = nose - ears
        front /= max(float(np.linalg.norm(front)), 1e-6)
        up = np.cross(front, across)
        if float(up @ (ears - neck)) < 0.0:
            up = -up
        centre = ears + front * 0.012 * h - up * 0.002 * h
        mouth = nose - up * 0.024 * h - front * 0.008 * h
        top = centre + up * 0.03 * h
        pixel, scale = self.project(
            np.stack([neck, centre, nose, eye_l, eye_r, mouth, top, eyes, ear_l, ear_r, centre + across * 0.02,
                      centre - up * 0.045 * h, centre + front * 0.02 * h, centre + up * 0.05])
        )  # fmt: skip
        s = float(scale[1]) * h
        facing = float(self._rotation[2] @ front) < -0.15
        _tapered(image, pixel[0], pixel[11], 0.031 * s, 0.029 * s, _dim(look.skin, 0.82))
        tilt = float(np.degrees(np.arctan2(*(pixel[13] - pixel[1])[::-1]))) + 90.0
        box = (0.098 * s, 0.136 * s)
        _ellipse(image, pixel[1] + [0.0, -0.012 * s], (0.108 * s, 0.142 * s), tilt, look.hair)
        if not facing:
            return
        for i in (8, 9):
            cv2.circle(image, _sub(pixel[i]), round(0.012 * s * _SUB), _dim(look.skin, 0.8), -1, cv2.LINE_AA, _SHIFT)
        face = pixel[12] + [0.0, 0.006 * s]
        _ellipse(image, face, (box[0] * 0.94, box[1] * 0.92), tilt, _dim(look.skin, 0.9))
        _ellipse(image, face - np.array([0.010, 0.008]) * s, (box[0] * 0.72, box[1] * 0.74), tilt, look.skin)
        # Fringe, brows, eyes, nose, mouth.
        hair = face + (pixel[6] - pixel[1]) * 1.35
        _ellipse(image, hair, (0.094 * s, 0.046 * s), tilt, look.hair)
        for i in (3, 4):
            brow = pixel[i] + (pixel[6] - pixel[1]) * 0.42
            _ellipse(image, brow, (0.026 * s, 0.007 * s), tilt, _dim(look.hair, 0.9))
            _ellipse(image, pixel[i], (0.022 * s, 0.012 * s), tilt, (235, 235, 235))
            _ellipse(image, pixel[i], (0.011 * s, 0.012 * s), tilt, (40, 36, 34))
        _tapered(image, pixel[7], pixel[2], 0.005 * s, 0.010 * s, _dim(look.skin, 0.86))
        _ellipse(image, pixel[5], (0.040 * s, 0.011 * s), tilt, (92, 92, 168))

    def _shadow(self, image: Image, joints: FloatArray) -> None:
        feet = joints[[JOINT["left_ankle"], JOINT["right_ankle"], JOINT["mid_hip"]]].copy()
        feet[:, 1] = 0.0
        pixel, scale = self.project(feet)
        for p, size in ((pixel[0], 0.10), (pixel[1], 0.10), (pixel[2], 0.26)):
            width = size * self._h * float(scale.mean()) * 2.0
            _ellipse(image, p, (width, width * 0.22), 0.0, _dim(self._look.floor, 0.80))

    def _paint_room(self) -> Image:
        w, hgt, look = self.width, self.height, self._look
        rows = np.linspace(0.92, 1.06, hgt)[:, None, None]
        columns = np.linspace(1.05, 0.93, w)[None, :, None]
        room = np.clip(np.array(look.wall)[None, None, :] * rows * columns, 0, 255).astype(np.uint8)
        corner, _ = self.project(np.array([[-20.0, 0.0, -1.6], [20.0, 0.0, -1.6]]))
        skirting = np.array([corner[0], corner[1], [w * 2.0, hgt * 2.0], [-w * 1.0, hgt * 2.0]])
        _polygon(room, skirting, look.floor)
        for y in (0.0, 0.10):
            line, _ = self.project(np.array([[-20.0, y, -1.6], [20.0, y, -1.6]]))
            cv2.line(room, _sub(line[0]), _sub(line[1]), _dim(look.wall, 0.72), 2, cv2.LINE_AA, _SHIFT)
        for x, width, top, bottom, tint in ((-2.0, 0.8, 2.05, 0.1, 0.84), (1.25, 0.7, 1.9, 1.2, 1.10)):
            box = np.array([[x, top, -1.6], [x + width, top, -1.6], [x + width, bottom, -1.6], [x, bottom, -1.6]])
            pixel, _ = self.project(box)
            _polygon(room, pixel, _dim(look.wall, tint))
            cv2.polylines(room, [_subs(pixel)], True, _dim(look.wall, 0.7), 2, cv2.LINE_AA, _SHIFT)
        blurred = cv2.GaussianBlur(room, (0, 0), 1.6)
        grain = np.random.default_rng(7).normal(0.0, 2.2, room.shape)
        return np.asarray(np.clip(blurred + grain, 0, 255), dtype=np.uint8)


def expose(image: Image, lit_rows: FloatArray, gain: float, light: float) -> Image:
    """Return the picture with a flash in it.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    lit_rows : ndarray, shape (height,)
        Share of each row's exposure in which the flash was on.
    gain, light : float
        A row lit all the time is ``1 + gain`` times as bright, plus ``light``.
    """
    if not np.any(lit_rows > 0.0):
        return image
    rows = np.flatnonzero(lit_rows > 0.0)
    out = image.copy()
    share = lit_rows[rows, None, None].astype(np.float32)
    out[rows] = np.clip(image[rows] * (1.0 + gain * share) + light * share, 0, 255).astype(np.uint8)
    return out


def _dim(colour: Colour, by: float) -> Colour:
    b, g, r = colour
    return min(255, int(b * by)), min(255, int(g * by)), min(255, int(r * by))


def _sub(point: FloatArray) -> tuple[int, int]:
    return round(float(point[0]) * _SUB), round(float(point[1]) * _SUB)


def _subs(points: FloatArray) -> NDArray[np.int32]:
    return (points * _SUB + 0.5).astype(np.int32)


def _polygon(image: Image, points: FloatArray, colour: Colour) -> None:
    cv2.fillPoly(image, [_subs(points)], colour, cv2.LINE_AA, _SHIFT)


def _ellipse(image: Image, centre: FloatArray, size: tuple[float, float], tilt_deg: float, colour: Colour) -> None:
    box = ((float(centre[0]), float(centre[1])), (max(1.0, size[0]), max(1.0, size[1])), tilt_deg)
    cv2.ellipse(image, box, colour, -1, cv2.LINE_AA)


# Outline of two round ends: angles against the axis, and how they turn where the ends differ in size.
_CAP = np.linspace(0.0, np.pi, 9)
_ANGLES = np.concatenate([_CAP - np.pi / 2, _CAP + np.pi / 2])
_TURN = np.concatenate([1.0 - 2.0 * _CAP / np.pi, 2.0 * _CAP / np.pi - 1.0])
_IS_B = np.arange(2 * len(_CAP)) < len(_CAP)
_SHADES = ((1.0, 0.70), (0.80, 0.86), (0.50, 1.0))
_LIGHT = np.array([-0.40, -0.32])


def _tapered(image: Image, a: FloatArray, b: FloatArray, radius_a: float, radius_b: float, colour: Colour) -> None:
    """Draw a round-ended tapered limb, the hull of two circles, in three shades, lit from the upper left."""
    dx, dy = float(b[0] - a[0]), float(b[1] - a[1])
    length = math.hypot(dx, dy)
    if length <= abs(radius_a - radius_b) + 0.5:
        centre, radius = (a, radius_a) if radius_a >= radius_b else (b, radius_b)
        for size, shade in _SHADES:
            at = _sub(centre + _LIGHT * ((1.0 - size) * radius))
            cv2.circle(image, at, max(1, round(radius * size * _SUB)), _dim(colour, shade), -1, cv2.LINE_AA, _SHIFT)
        return
    angle = math.atan2(dy, dx) + _ANGLES + math.asin((radius_a - radius_b) / length) * _TURN
    radii = np.where(_IS_B, radius_b, radius_a)[:, None]
    centres = np.where(_IS_B[:, None], b, a)
    outline = np.empty((len(angle), 2))
    np.cos(angle, out=outline[:, 0])
    np.sin(angle, out=outline[:, 1])
    for size, shade in _SHADES:
        points = centres + (outline * size + _LIGHT * (1.0 - size)) * radii
        points = (points * _SUB + 0.5).astype(np.int32)
        cv2.fillConvexPoly(image, points, _dim(colour, shade), cv2.LINE_AA, _SHIFT)
