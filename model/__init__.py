"""Sessions to a predictor of muscles from body keypoints (`mia-train`). May import `dataset`."""
