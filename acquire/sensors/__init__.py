"""Bluetooth sensors: one connection (``link``), who sits in which slot (``binding``), all of them (``hub``)."""
