"""Runs in experiment trackers."""
