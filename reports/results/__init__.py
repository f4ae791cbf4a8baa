"""Runs as plain data that every renderer reads."""
