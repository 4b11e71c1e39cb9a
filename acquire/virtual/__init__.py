"""The virtual rig: one hidden truth that drives sensors, camera, microphone and box.

Nothing outside it but the command lines and `acquire.open_rig` imports it.
"""
