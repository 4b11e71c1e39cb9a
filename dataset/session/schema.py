"""Groups, datasets, shapes and units of a session file: one table, used to write, check and document it."""

from __future__ import annotations

from dataclasses import dataclass

FORMAT = "mia-session"
FORMAT_VERSION = "1.1"
#: Versions that are read; 1 stored booleans as an HDF5 enum.
READABLE_VERSIONS = ("1", FORMAT_VERSION)

#: Root attributes and their Python type.
ROOT_ATTRIBUTES: dict[str, type] = {
    "format": str,
    "format_version": str,
    "session_uuid": str,
    "created_utc": str,
    "subject": str,
    "zero_host_ns": int,
    "verdict": str,
    "verdict_reason": str,
    "rate_hz": float,
}

#: Stands in the table for the unit of the channel or channels themselves.
CHANNEL_UNIT = "channel unit"

#: Attributes that are booleans.
BOOLEANS = ("index_inferred",)

VERDICTS = ("PASS", "WARNING", "FAIL")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """One dataset: its path, type, shape and meaning.

    Attributes
    ----------
    path : str
        Path in the file; ``{channel}`` and ``{stream}`` stand for each channel or stream.
    kind : {"f", "i", "b", "s"}
        float64, int64, boolean (stored as uint8, 0 or 1) or UTF-8 text.
    shape : tuple
        Numbers are exact; a letter has the same value everywhere in one group: C channels, T grid, F frames.
    """

    path: str
    kind: str
    shape: tuple[int | str, ...]
    unit: str
    description: str
    required: bool = True


def _spec(
    path: str, kind: str, shape: tuple[int | str, ...], unit: str, text: str, *, required: bool = True
) -> DatasetSpec:
    return DatasetSpec(path=path, kind=kind, shape=shape, unit=unit, description=text, required=required)


DATASETS = (
    _spec("channels/name", "s", ("C",), "", "Channel name, such as left_biceps"),
    _spec("channels/muscle", "s", ("C",), "", "Muscle"),
    _spec("channels/side", "s", ("C",), "", "left or right, the subject's own"),
    _spec("channels/unit", "s", ("C",), "", "Unit of the channel's values"),
    _spec("channels/profile", "s", ("C",), "", "Sensor profile"),
    _spec("channels/serial", "s", ("C",), "", "Sensor serial number"),
    _spec("channels/placement", "s", ("C",), "", "Electrode placement"),
    _spec("channels/electrode", "s", ("C",), "", "Electrode type"),
    _spec("calibration/rest_counts", "f", ("C",), CHANNEL_UNIT, "Level at rest; NaN if not measured"),
    _spec("calibration/mvc_counts", "f", ("C",), CHANNEL_UNIT, "Level at maximum voluntary contraction; NaN if not measured"),
    _spec("emg/{channel}/time_s", "f", ("N",), "s", "Session time of the centre of each value's averaging interval"),
    _spec("emg/{channel}/value", "f", ("N",), CHANNEL_UNIT, "Value as received"),
    _spec("emg/{channel}/arrival_s", "f", ("N",), "s", "Arrival on the host clock, in session seconds"),
    _spec("video/frame_time_s", "f", ("V",), "s", "Session time of each frame's exposure centre"),
    _spec("video/frame_index", "i", ("V",), "", "Index of the frame in the file"),
    _spec("pose/keypoints_2d", "f", ("F", 25, 2), "px", "BODY_25 in pixels, x right and y down; NaN where not found", required=False),
    _spec("pose/keypoints_3d", "f", ("F", 25, 3), "m", "BODY_25 in metres, y down; NaN where not found", required=False),
    _spec("pose/confidence", "f", ("F", 25), "1", "Confidence of each keypoint, 0 to 1"),
    _spec("pose/frame_index", "i", ("F",), "", "Index of the frame in the file"),
    _spec("events/time_s", "f", ("E",), "s", "Session time of each event"),
    _spec("events/uncertainty_s", "f", ("E",), "s", "Half-width of the 95 % interval of the event's time"),
    _spec("events/kind", "s", ("E",), "", "Kind of event"),
    _spec("events/label", "s", ("E",), "", "Label, such as the exercise"),
    _spec("events/source", "s", ("E",), "", "Source of the event"),
    _spec("exercises/name", "s", ("X",), "", "Exercise"),
    _spec("exercises/start_s", "f", ("X",), "s", "Start of the exercise in session time"),
    _spec("exercises/stop_s", "f", ("X",), "s", "End of the exercise in session time"),
    _spec("sync/{stream}/matches", "i", ("M", 2), "", "Matched pairs: index of the reference event, index of the stream's event"),
    _spec("sync/{stream}/residual_s", "f", ("M",), "s", "Residual of each matched pair"),
    _spec("sync/{stream}/epochs", "f", ("P", 3), "s", "Connection epochs: stream_s of the first and of the last value, and offset_s"),
    _spec("aligned/time_s", "f", ("T",), "s", "The common grid"),
    _spec("aligned/emg", "f", ("T", "C"), CHANNEL_UNIT, "sEMG on the grid; NaN in gaps"),
    _spec("aligned/emg_valid", "b", ("T", "C"), "", "1 where sEMG was measured, else 0"),
    _spec("aligned/keypoints_2d", "f", ("T", 25, 2), "px", "BODY_25 on the grid, in pixels", required=False),
    _spec("aligned/keypoints_3d", "f", ("T", 25, 3), "m", "BODY_25 on the grid, in metres, y down", required=False),
    _spec("aligned/confidence", "f", ("T", 25), "1", "Confidence of each keypoint", required=False),
    _spec("aligned/frame_index", "i", ("T",), "", "Index of the nearest video frame; -1 if there is none", required=False),
    _spec("aligned/segment", "i", ("T",), "", "Number of the contiguous segment; windows never cross segments"),
    _spec("aligned/exercise", "s", ("T",), "", "Exercise at that time; empty between exercises"),
    _spec("provenance/log", "s", ("L",), "", "One JSON object per processing step: its name, version and parameters"),
)  # fmt: skip

#: Groups that every session has.
REQUIRED_GROUPS = ("channels", "emg", "events", "exercises", "sync", "aligned", "provenance")

SUBJECT_ATTRIBUTES = (
    "age_years",
    "sex",
    "height_m",
    "mass_kg",
    "handedness",
    "consent_id",
    "take",
    "setup_id",
    "notes",
)

#: Numbers that every stream of /sync has (NaN or -1 if they do not apply).
SYNC_FLOATS = ("offset_s", "rate_ppm", "offset_ci95_s", "rate_ci95_ppm", "error_ci95_s", "match_rate",
               "ambiguity_margin", "max_residual_s", "rms_residual_s", "coverage", "largest_gap_s",
               "extrapolated_s")  # fmt: skip
SYNC_INTS = ("n_reference", "n_target", "n_matched")
SYNC_TEXTS = ("method", "verdict", "reason")

#: Named constants of a sensor's stream; those of video and sound are named in their methods.
SYNC_CONSTANTS = {
    "response_s": "From a contact's sound at the body to the centroid of the response, measured; NaN without usable contacts",
    "burst_prior_s": "Centroid of the muscle's burst after its contact, assumed: the prior, and the mean of sensors of one model "
    "share; negative if the burst precedes the contact",
    "burst_prior_sd_s": "Its standard deviation",
    "delay_source": "`measured`: a contact measured the response; `assumed`: the delay of its model's other sensors in this "
    "rig; `none`: its model's prior",
    "film_ci95_s": "Half-width of the 95 % interval of the response against the contacts in the film, over the session; decides the verdict",
    "left_right_ci95_s": "Half-width of the 95 % interval of the difference from the offset of the same muscle on the other side",
    "between_sensors_ci95_s": "The same for the difference from any other sensor: the largest",
}
