"""Confidence intervals of metrics: by image, by patient, over seeds."""
