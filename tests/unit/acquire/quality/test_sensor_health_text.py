"""What a person reads of a sensor's health at the end of a recording."""

from __future__ import annotations

from acquire.cli import health_text
from acquire.quality.sensor_health import SensorHealth
from dataset.sensors.profile import find_profile

MS = 1_000_000


def heard(*times_ms: int) -> SensorHealth:
    health = SensorHealth(find_profile("anr-m40"))
    health.begin(0, connected=True)
    for t in times_ms:
        health.add(0, t * MS, 1.0)
    return health


def test_a_good_sensor_takes_few_words() -> None:
    health = heard(*range(100, 10_001, 100))
    assert health_text(health.summary(10_000 * MS)) == "  100 of   100 values, largest gap 0.10 s"


def test_what_went_wrong_is_said() -> None:
    health = heard(*range(100, 4001, 100), *range(4500, 8001, 100))
    health.close(8000 * MS)
    health.open(1, 11_000 * MS)
    for t in range(11_100, 13_001, 50):
        health.add(1, t * MS, None)
    assert health_text(health.summary(13_000 * MS)) == (
        "  115 of   130 values, largest gap 0.50 s, 4 suspected lost, 39 malformed, 1 reconnects, "
        "not connected for 3.0 s, more values than the sensor can send: duplicates?"
    )
