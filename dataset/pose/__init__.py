"""Body keypoints from pictures: one extractor for preview, synchronisation, prediction and live use.

May import `dataset.media`, `dataset.session` and `dataset.support`.
"""

from dataset.pose.extract import extract_pose

__all__ = ["extract_pose"]
