"""Tools to set up sensors: scan, inspect, listen, identify, and check the rig.

Nothing here writes to a sensor, except ``identify`` and the start and stop commands that a profile declares.

May import `acquire.bluetooth`, `acquire.command_options`, `acquire.event_log`, `acquire.hardware`, `acquire.open_rig`,
`acquire.quality` and `acquire.rig`.
"""
