"""Claps seen in the keypoints: the wrists come together and part again.

Coarse beside the sound - a part of a frame at best, and the hands meet before the wrists do - but it is of the picture
itself, so it tells whether a sound and a picture belong together where no flash does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from dataset.pose.skeleton import JOINT
from dataset.support.arrays import FloatArray

#: Wrists meet within this part of the shoulders' width, and part to that much more within the time given.
_NEAR = 1.0
_APART = 0.35
_SWING_S = 0.6
#: Closing in before and parting after, in shoulders' widths a second: hands that rest together do neither.
_LEAST_SPEED = 0.8
_APART_S = 0.25
_LEAST_CONFIDENCE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class WristContact:
    """One time at which the wrists met.

    Attributes
    ----------
    time_s, uncertainty_s : float
        Of the least distance, between frames, and its half-width.
    distance : float
        The least distance, in the shoulders' width.
    speed : float
        At which they came together, in the shoulders' width a second.
    """

    time_s: float
    uncertainty_s: float
    distance: float
    speed: float


def detect_wrist_contacts(
    time_s: FloatArray, keypoints: FloatArray, confidence: FloatArray | None = None
) -> tuple[WristContact, ...]:
    """Return the times at which the wrists met, in order.

    Parameters
    ----------
    time_s : ndarray, shape (F,)
    keypoints : ndarray, shape (F, 25, 2) or (F, 25, 3)
        BODY_25; NaN where a joint was not found.
    confidence : ndarray, shape (F, 25), optional
        Wrists seen with less than 0.3 are not used.
    """
    left, right = (keypoints[:, JOINT[f"{side}_wrist"]] for side in ("left", "right"))
    shoulders = np.linalg.norm(keypoints[:, JOINT["left_shoulder"]] - keypoints[:, JOINT["right_shoulder"]], axis=1)
    if not np.isfinite(shoulders).any():
        return ()
    # The widest it is seen: a person who turns does not shrink.
    width = float(np.nanpercentile(shoulders, 75))
    distance = np.linalg.norm(left - right, axis=1) / max(width, 1e-9)
    good = np.isfinite(distance)
    if confidence is not None:
        good &= np.min(confidence[:, [JOINT["left_wrist"], JOINT["right_wrist"]]], axis=1) >= _LEAST_CONFIDENCE
    t, d = time_s[good], distance[good]
    if len(t) < 5:
        return ()
    step_s = float(np.median(np.diff(t)))
    found: list[WristContact] = []
    for k in signal.find_peaks(-d, distance=max(1, round(_APART_S / step_s)))[0]:
        before, after = (t >= t[k] - _SWING_S) & (t <= t[k]), (t >= t[k]) & (t <= t[k] + _SWING_S)
        if d[k] > _NEAR or min(d[before].max(), d[after].max()) - d[k] < _APART:
            continue
        one = _contact(t, d, int(k), step_s)
        if one is not None:
            found.append(one)
    return tuple(found)


def _contact(t: FloatArray, d: FloatArray, k: int, step_s: float) -> WristContact | None:
    """Return the contact about the least sample; None where the hands neither came nor left with speed."""
    if not 2 <= k < len(d) - 2 or t[k + 2] - t[k - 2] > 6 * step_s:
        return None
    # A hand stops at the other: two straight lines that meet, not a parabola, and they meet between frames.
    coming, leaving = _slope(t[k - 2 : k], d[k - 2 : k]), _slope(t[k + 1 : k + 3], d[k + 1 : k + 3])
    if coming > -_LEAST_SPEED or leaving < _LEAST_SPEED:
        return None
    at = ((d[k + 1] - leaving * t[k + 1]) - (d[k - 1] - coming * t[k - 1])) / (coming - leaving)
    at = float(np.clip(at, t[k - 1], t[k + 1]))
    return WristContact(
        time_s=at,
        uncertainty_s=max(0.5 * step_s, abs(at - float(t[k]))),
        distance=float(max(0.0, d[k - 1] + coming * (at - t[k - 1]))),
        speed=float(-coming),
    )


def _slope(t: FloatArray, d: FloatArray) -> float:
    return float((d[-1] - d[0]) / max(1e-9, t[-1] - t[0]))
