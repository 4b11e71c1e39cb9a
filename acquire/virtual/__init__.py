"""The virtual rig: one ground truth that drives sensors, camera, microphone and box.

May import `acquire.assignment`, `acquire.bluetooth`, `acquire.command_options`, `acquire.event_log`,
`acquire.hardware`, `acquire.ledbox`, `acquire.media`, `acquire.protocol`, `acquire.quality` and `acquire.recording`;
only `acquire.open_rig` and the command line import it.
"""
