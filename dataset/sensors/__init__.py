"""Sensor profiles: what a device's notifications mean, and the view from payloads to values.

They live in ``dataset`` because a capture keeps payloads as they came: the recorder uses a profile to find and
subscribe, the synchroniser to decode, also years later with a better profile.

May import `dataset.capture.types` and `dataset.support`.
"""
