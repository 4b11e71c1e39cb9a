"""The tables of ``capture.db`` and its event kinds."""

from __future__ import annotations

FORMAT = "mia-capture"
FORMAT_VERSION = "1"
DATABASE = "capture.db"
MANIFEST = "manifest.json"
VIDEO = "video.mkv"
#: Files that are read or written by name in a capture's folder, so each must be in the folder itself.
OWN_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", MANIFEST, VIDEO, ".room",
             "truth.json")  # fmt: skip

EVENT_KINDS = frozenset(
    {"flash", "clap_cue", "stomp_cue", "sync_start", "sync_stop", "exercise_start", "exercise_stop", "rest_start",
     "rest_stop", "contract_start", "contract_stop", "pause_start", "pause_stop", "marker", "trigger"}
)  # fmt: skip

SQL = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE sensor(slot INTEGER PRIMARY KEY, channel TEXT NOT NULL, muscle TEXT NOT NULL, side TEXT NOT NULL,
    name TEXT NOT NULL, address TEXT NOT NULL, serial TEXT NOT NULL, profile TEXT NOT NULL, adapter TEXT NOT NULL,
    placement TEXT NOT NULL, electrode TEXT NOT NULL) STRICT;
CREATE TABLE notification(slot INTEGER NOT NULL, epoch INTEGER NOT NULL, host_seq INTEGER NOT NULL,
    characteristic TEXT NOT NULL, arrival_ns INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
CREATE TABLE frame(epoch INTEGER NOT NULL, frame_index INTEGER NOT NULL, arrival_ns INTEGER NOT NULL,
    pts_ns INTEGER) STRICT;
CREATE TABLE audio_block(epoch INTEGER NOT NULL, first_sample INTEGER NOT NULL, n_samples INTEGER NOT NULL,
    arrival_ns INTEGER NOT NULL) STRICT;
CREATE TABLE serial_line(source TEXT NOT NULL, arrival_ns INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
CREATE TABLE event(t_ns INTEGER NOT NULL, uncertainty_ns INTEGER NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL,
    source TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE log(t_ns INTEGER NOT NULL, level TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE clock_anchor(host_ns INTEGER NOT NULL, utc_ns INTEGER NOT NULL) STRICT;
CREATE TABLE attachment(ord INTEGER NOT NULL, kind TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL) STRICT;
"""

TABLES = ("meta", "sensor", "notification", "frame", "audio_block", "serial_line", "event", "log", "clock_anchor",
          "attachment")  # fmt: skip

#: Keys that every capture's ``meta`` table has.
META_KEYS = ("format", "format_version", "capture_uuid", "subject", "take", "setup_id", "software", "sync_seed",
             "rig_toml", "protocol_toml", "host_clock", "clock_resolution_ns")  # fmt: skip
