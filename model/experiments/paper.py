"""The paper's own numbers, for reference: other data, other units of normalisation."""

from __future__ import annotations

#: Mean over twenty exercises of the RMSE, by system: in distribution, and with the exercise left out.
TABLE_1 = {
    "random": (20.7, None),
    "nn": (13.2, 19.5),
    "cnn-paper": (9.4, 15.2),
    "transformer-paper": (9.0, 14.7),
}

#: The same in distribution by the window's length in seconds.
TABLE_2_S = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
TABLE_2 = {
    "nn": (16.6, 14.2, 13.1, 13.0, 12.9, 13.0, 13.3),
    "cnn-paper": (13.0, 11.2, 10.6, 10.1, 9.8, 9.5, 9.5),
    "transformer-paper": (12.6, 11.0, 9.9, 9.5, 9.2, 9.1, 9.0),
}

#: The order that the paper reports, worst first.
ORDER = ("random", "nn", "cnn-paper", "transformer-paper")
