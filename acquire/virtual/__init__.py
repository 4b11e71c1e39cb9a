"""The virtual rig: one hidden truth that drives sensors, camera, microphone and box, for work without hardware."""
