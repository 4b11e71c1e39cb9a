"""Hardware to capture: sensors, camera, sound, flashes and prompts (`mia-record`). May import `dataset`."""
