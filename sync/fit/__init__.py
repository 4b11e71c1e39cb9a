"""Events to maps between clocks: matching, the video's, the sound's and the sensors' fits.

May import `sync.events` and `sync.clock`.
"""
