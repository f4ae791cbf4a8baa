"""Sends runs to experiment trackers."""
