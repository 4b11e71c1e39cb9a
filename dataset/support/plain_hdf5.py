"""Safe opening of HDF5 files: only hard links and plain layouts are accepted, nothing outside the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
from h5py import h5d, h5g, h5l, h5o

from dataset.support.errors import InputError

_LAYOUTS = (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED)
_LINKS = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "a link into another file"}


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, after checking all of its links and layouts.

    HDF5 follows links into other files, reads datasets from any named file (external storage),
    and composes datasets from other files (virtual datasets): a file could show its reader's own files as
    data, and leak them.

    Raises
    ------
    InputError
        It is not a regular file, or it refers to another file.
    OSError
        It is not an HDF5 file.
    """
    if not path.is_file():
        raise InputError(f"{path} cannot be read", "it is not a file")
    with h5py.File(path, "r") as file:
        try:
            what = next(_foreign(file), "")
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            raise InputError(f"{path} is damaged", str(error), "copy it again") from error
        if what:
            raise InputError(f"{path} refers to data outside the file", what, "write its data into one file")
        yield file


def _foreign(file: h5py.File) -> Iterator[str]:
    """Yield a description of each link that is not hard, and of each dataset without a plain layout."""
    root = file["/"].id
    seen, left = {h5o.get_info(root).addr}, [("", root)]
    while left:
        where, group = left.pop()
        for name in group:
            path = f"{where}/{name.decode(errors='replace')}"
            link = group.links.get_info(name).type
            if link != h5l.TYPE_HARD:
                yield f"{path} is {_LINKS.get(link, 'a link of an unknown kind')}"
                continue
            item = h5o.open(group, name)
            address = h5o.get_info(item).addr
            if address in seen:  # a hard link back up, or a second name
                continue
            seen.add(address)
            if isinstance(item, h5g.GroupID):
                left.append((path, item))
            elif isinstance(item, h5d.DatasetID):
                properties = item.get_create_plist()
                if properties.get_layout() not in _LAYOUTS:
                    yield f"{path} is a virtual dataset"
                elif properties.get_external_count():
                    yield f"{path} keeps its values in another file"
