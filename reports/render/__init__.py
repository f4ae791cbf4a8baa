"""Renderers: results as text, tables and pages. Nothing here computes a figure."""
