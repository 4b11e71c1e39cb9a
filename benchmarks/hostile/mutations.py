"""Seeded mutations of valid files, by kind: bytes of any file; values, types and links of structured ones."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dataset.capture import schema
from dataset.capture.manifest import manifest_bytes
from dataset.session.checksum import USER_BLOCK_BYTES, write_checksum
from dataset.support.files import sha256_of
from model.run_files import CHECKSUMS, write_checksums

#: Odd values that a file may hold.
NUMBERS = (0, -1, 1, 2, 25, 2**31, 2**53, 2**63 - 1, -(2**63), 10**30, 10**5000, 0.5, -0.0, 1e308, 1e-308, float("nan"),
           float("inf"), float("-inf"))  # fmt: skip
TEXTS = ("", "a", "../../victim", "/etc/passwd", "$x^2_{", "<script>alert(1)</script>", "=1+1", "\x1b[2J", "\0",
         "\udcff", "é" * 300, "nan", "inf", "1e400", "\u202e", "left_biceps")  # fmt: skip
VALUES: tuple[Any, ...] = (*NUMBERS, *TEXTS, None, True, [], {}, [[]], [1, "a"], {"a": {"b": []}})

Mutation = Callable[[Path, random.Random], None]


# -- bytes -------------------------------------------------------------------------------------------------------


def flip_bits(path: Path, rng: random.Random) -> None:
    """Flip one to eight bits."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 8))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def overwrite(path: Path, rng: random.Random) -> None:
    """Overwrite a run of bytes with zeros, ones or noise."""
    content = bytearray(path.read_bytes())
    at, n = rng.randrange(len(content)), rng.choice((1, 4, 8, 64, 512))
    content[at : at + n] = rng.choice((bytes(n), b"\xff" * n, rng.randbytes(n)))
    path.write_bytes(content)


def truncate(path: Path, rng: random.Random) -> None:
    """Cut the file off."""
    os.truncate(path, rng.randrange(path.stat().st_size))


def splice(path: Path, rng: random.Random) -> None:
    """Repeat, remove or insert a piece."""
    content = path.read_bytes()
    a, b = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    piece = rng.choice((content[a:b][:4096] * 2, b"", rng.randbytes(16)))
    path.write_bytes(content[:a] + piece + content[b:])


BYTES: tuple[Mutation, ...] = (flip_bits, overwrite, truncate, splice)


# -- texts -------------------------------------------------------------------------------------------------------


def _literal(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**64:
        return "1" + "0" * 5000
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf").replace("null", '""')


def change_toml(path: Path, rng: random.Random) -> None:
    """Replace a value, repeat or remove a line, or nest deeply."""
    lines = path.read_text(encoding="utf-8").splitlines()
    with_value = [i for i, line in enumerate(lines) if "=" in line]
    i = rng.choice(with_value)
    key = lines[i].partition("=")[0]
    depth = rng.choice((3, 200, 20_000))
    lines[i] = rng.choice(
        (f"{key}= {_literal(rng.choice(VALUES))}",) * 6
        + (
            "",
            lines[i] + "\n" + lines[i],
            f"{key}= " + "[" * depth + "]" * depth,
            "a." * depth + "b = 1",
            f"{key}= 1e999",
        )
    )
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")


def change_csv(path: Path, rng: random.Random) -> None:
    """Replace a cell, swap, repeat or drop a row, or change the separator or the coding."""
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    r = rng.randrange(len(rows))
    kind = rng.randrange(6)
    if kind <= 2:
        rows[r][rng.randrange(len(rows[r]))] = re.sub(r"[\n\r]", "", str(_literal(rng.choice(VALUES)))).strip('"')
    elif kind == 3:
        rows.insert(rng.randrange(len(rows)), rows[r])
    elif kind == 4:
        rows[r] = rows[r] * rng.choice((2, 50, 3000))
    else:
        rows[r] = rows[r][:-1]
    text = "\n".join(rng.choice((",", ",", ",", ";", "\t")).join(row) for row in rows)
    path.write_bytes(text.encode(rng.choice(("utf-8", "utf-8", "utf-16", "latin-1")), "replace"))


def change_json(path: Path, rng: random.Random) -> None:
    """Replace a value anywhere, repeat a key, or nest deeply."""
    value = json.loads(path.read_text(encoding="utf-8"))
    places: list[tuple[Any, Any]] = []

    def walk(item: Any) -> None:
        pairs = item.items() if isinstance(item, dict) else enumerate(item[:5]) if isinstance(item, list) else ()
        for key, inner in pairs:
            places.append((item, key))
            walk(inner)

    walk(value)
    container, key = rng.choice(places)
    kind = rng.randrange(8)
    if kind == 0:
        del container[key]
    elif kind == 1:
        container[key] = "PLACE"
    else:
        container[key] = rng.choice([v for v in VALUES if not (isinstance(v, int) and abs(v) > 10**40)])
    text = json.dumps(value)
    if kind == 1:
        text = text.replace('"PLACE"', rng.choice(("[" * 9000 + "]" * 9000, "9" * 6000, "1e999", "-Infinity")), 1)
    path.write_text(text, encoding="utf-8")


# -- HDF5 --------------------------------------------------------------------------------------------------------


def change_hdf5(path: Path, rng: random.Random) -> None:
    """Replace an attribute, a dataset or a group by another type, shape, value, link or claim."""
    with h5py.File(path, "r+") as file:
        nodes: list[str] = []
        file.visit(nodes.append)
        node = rng.choice(nodes)
        if rng.random() < 0.35:
            _change_attribute(file if rng.random() < 0.3 else file[node], rng)
        else:
            _change_node(file, node, rng)


def _change_attribute(owner: h5py.Group, rng: random.Random) -> None:
    if not len(owner.attrs):
        return
    name = rng.choice(sorted(owner.attrs))
    choices: tuple[Any, ...] = (
        np.arange(5), np.zeros((2, 2)), "text", np.bytes_(b"\xff\xfe"), np.float64("nan"), np.float64("inf"), -1, 0,
        2**63 - 1, np.uint64(2**64 - 1), True, h5py.Empty("f"), ["a", "b"], 1e300, "\x1b[2J", "$x^{",
    )  # fmt: skip
    value = rng.choice((*choices, None))
    if value is None:
        del owner.attrs[name]
    else:
        owner.attrs[name] = value


def _change_node(file: h5py.File, name: str, rng: random.Random) -> None:
    item = file[name]
    is_data = isinstance(item, h5py.Dataset)
    old = item[()] if is_data else None
    kind = rng.randrange(12)
    if is_data and kind <= 3 and old is not None and old.size and old.dtype.kind in "fiub":
        at = tuple(rng.randrange(n) for n in old.shape)
        with suppress(OverflowError, ValueError):
            old[at] = rng.choice(
                (0, -1, 1, 1e6, -1e9, 1e30, np.nan, np.inf) if old.dtype.kind == "f" else (0, 1, -7, 2**62)
            )
        item[...] = old if kind else np.sort(old, axis=0)[::-1]
        return
    del file[name]
    made: tuple[Callable[[], object], ...] = (
        lambda: None,
        lambda: file.create_group(name),
        lambda: file.create_dataset(name, shape=(10**9, 3), dtype="f8", chunks=(1000, 3)),
        lambda: file.create_dataset(name, data=np.zeros((3, 2))),
        lambda: file.create_dataset(name, data=np.zeros(0)),
        lambda: file.create_dataset(name, data="text"),
        lambda: file.create_dataset(name, data=np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])),
        lambda: file.__setitem__(name, h5py.SoftLink("/nowhere")),
        lambda: file.__setitem__(name, h5py.ExternalLink("/etc/passwd", "/")),
        lambda: file.create_dataset(name, data=h5py.Empty("f8")),
        lambda: file.create_dataset(name, data=np.array([b"\xff"] * max(1, 0 if old is None else np.size(old)))),
        lambda: file.create_dataset(name, data=np.full(np.shape(old) if old is not None else (1,), 2**63 - 1)),
    )  # fmt: skip
    rng.choice(made)()


# -- captures and runs ---------------------------------------------------------------------------------------------


def change_rows(folder: Path, rng: random.Random) -> None:
    """Change rows of a capture's database to other types and values, or its tables to views and triggers."""
    with closing(sqlite3.connect(folder / schema.DATABASE, isolation_level=None)) as db:
        table = rng.choice([t for t in schema.TABLES if db.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0]])
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        column = rng.choice(columns)
        kind = rng.randrange(8)
        with suppress(sqlite3.DatabaseError, OverflowError):
            if kind <= 2:  # a value that a STRICT table accepts
                value = rng.choice((0, -1, 1, 2**40, 2**63 - 1, -(2**63), 10**18, *TEXTS[:-6], b"", b"\xff" * 9))
                value = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
                where = "" if kind == 0 else f" WHERE rowid = (SELECT rowid FROM {table} ORDER BY random() LIMIT 1)"
                db.execute(f"UPDATE {table} SET {column} = ?{where}", (value,))
            elif kind == 3:  # one that it does not
                db.execute("PRAGMA writable_schema=ON")
                db.execute("UPDATE sqlite_master SET sql = replace(sql, 'STRICT', '') WHERE name = ?", (table,))
                db.execute("PRAGMA writable_schema=RESET")
                db.execute(f"UPDATE {table} SET {column} = ?", (rng.choice(("text", b"blob", 1.5, 7)),))
                db.execute("PRAGMA writable_schema=ON")
                db.execute("UPDATE sqlite_master SET sql = sql || ' STRICT' WHERE name = ?", (table,))
                db.execute("PRAGMA writable_schema=RESET")
            elif kind == 4:
                db.execute(f"ALTER TABLE {table} RENAME TO other")
                db.execute(f"CREATE VIEW {table} AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
                           f"SELECT {', '.join(f'n AS {c}' for c in columns)} FROM r")  # fmt: skip
            elif kind == 5:
                db.execute(f"CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM meta; END")
            elif kind == 6:
                db.execute(f"DELETE FROM {table}")
            else:
                db.execute(f"INSERT INTO {table} SELECT * FROM {table}")


def break_links(folder: Path, rng: random.Random) -> None:
    """Put a link, a pipe, a device or a folder in place of one of a folder's files."""
    path = rng.choice([p for p in sorted(folder.iterdir()) if p.is_file()])
    path.unlink()
    rng.choice(
        (
            lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to("/etc/passwd"), lambda: path.symlink_to(path),
            lambda: os.mkfifo(path), path.mkdir, lambda: None, path.touch,
        )
    )()  # fmt: skip


def in_file(mutation: Mutation, *names: str) -> Mutation:
    """Return a mutation of one of a folder's files."""

    def mutate(folder: Path, rng: random.Random) -> None:
        mutation(folder / rng.choice(names), rng)

    mutate.__name__ = f"{mutation.__name__} ({', '.join(names)})"
    return mutate


def reseal(path: Path) -> None:
    """Rewrite checksums as the author of a hostile file would, so that the checks behind them are reached."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        if path.is_file() and path.read_bytes()[:USER_BLOCK_BYTES].startswith(b"mia-session"):
            write_checksum(path)
        elif (path / schema.MANIFEST).is_file():
            manifest = json.loads((path / schema.MANIFEST).read_text(encoding="utf-8"))
            for name in manifest["files"]:
                manifest["files"][name] = {"sha256": sha256_of(path / name), "size": (path / name).stat().st_size}
            (path / schema.MANIFEST).write_bytes(manifest_bytes(manifest))
        elif (path / CHECKSUMS).is_file():
            write_checksums(path, sorted(json.loads((path / CHECKSUMS).read_text())["files"]))


_DATABASE, _MANIFEST = schema.DATABASE, schema.MANIFEST
_RUN = ("config.json", "metrics.json")
_ARRAYS = ("model.safetensors", "training_windows.safetensors")

#: Mutations of each format, and the share of trials that it gets.
MIX: dict[str, tuple[int, tuple[Mutation, ...]]] = {
    "session": (28, (*BYTES, *(change_hdf5,) * 8)),
    "run": (20, (*(in_file(m, *_ARRAYS, *_RUN) for m in BYTES), *(in_file(change_json, *_RUN),) * 8, break_links)),
    "capture": (16, (*(in_file(m, _DATABASE, _MANIFEST) for m in BYTES), *(change_rows,) * 8,
                     *(in_file(change_json, _MANIFEST),) * 3, break_links)),
    "protocol.toml": (6, (*BYTES, *(change_toml,) * 6)),
    "rig.toml": (6, (*BYTES, *(change_toml,) * 6)),
    "faults.toml": (4, (*BYTES, *(change_toml,) * 6)),
    "profile.toml": (6, (*BYTES, *(change_toml,) * 6)),
    "emg.csv": (4, (*BYTES, *(change_csv,) * 6)),
    "flashes.csv": (2, (*BYTES, *(change_csv,) * 6)),
    "exercises.csv": (2, (*BYTES, *(change_csv,) * 6)),
    "film": (3, BYTES),
    "opensignals": (3, (*BYTES, *(change_hdf5,) * 6)),
}  # fmt: skip


def remove(path: Path) -> None:
    """Remove what a trial has left, of whatever kind it is."""
    shutil.rmtree(path, ignore_errors=True)
