"""Sessions to a predictor of eight muscles from body keypoints (`mia-train`)."""
