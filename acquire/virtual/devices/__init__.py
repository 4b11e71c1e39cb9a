"""The virtual devices: Bluetooth sensors, camera, microphone and LED box, each with a clock and faults of its own.

May import `acquire.virtual.person`.
"""
