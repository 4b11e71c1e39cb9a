"""The virtual devices: Bluetooth sensors, camera, microphone and LED box, each with its own clock and faults.

May import `acquire.bluetooth`, `acquire.hardware`, `acquire.media`, `acquire.protocol`, `acquire.virtual.chance`,
`acquire.virtual.faults`, `acquire.virtual.film`, `acquire.virtual.person` and `acquire.virtual.truth`.
"""
