"""Loads runs as data frames."""
