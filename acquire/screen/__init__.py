"""The capture screen (Textual): it shows the recorder's snapshot and passes keys on.

May import `acquire.assignment`, `acquire.bluetooth`, `acquire.event_log`, `acquire.ledbox`, `acquire.media`,
`acquire.open_rig`, `acquire.preflight`, `acquire.protocol`, `acquire.quality` and `acquire.recording`.
"""
