"""Tools for a person with sensors in front of them: what is in range, what it sends, which is which, what is wrong.

Nothing here writes to a sensor, except ``identify`` and the start and stop commands that a profile declares.

May import `acquire.bluetooth`, `acquire.command_options`, `acquire.event_log`, `acquire.hardware`, `acquire.open_rig`,
`acquire.quality` and `acquire.rig`.
"""
