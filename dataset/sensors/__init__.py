"""Sensor profiles: what a device's notifications mean, and the view from payloads to values.

They live in ``dataset`` because a capture keeps payloads as they came: the recorder uses a profile to find and
subscribe, the synchroniser to decode, also years later with a better profile.
"""

from dataset.sensors.decode import Samples, decode
from dataset.sensors.profile import Profile, builtin_profiles, load_profile

__all__ = ["Profile", "Samples", "builtin_profiles", "decode", "load_profile"]
