"""Figures by the number of training images."""
