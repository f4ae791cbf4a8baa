"""Stores at a URI."""
