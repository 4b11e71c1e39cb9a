"""Hardware to capture: sensors, camera, sound, flashes and the person's prompts (`mia-record`)."""
