"""Backbones of KerasHub and their presets."""
