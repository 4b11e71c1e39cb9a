"""Events to maps between clocks: matching, the video's, the sound's and the sensors' fits.

May import `sync.clock`, `sync.events`, `sync.recording_types`, `sync.resample` and `sync.robust`.
"""
