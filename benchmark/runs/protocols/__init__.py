"""Protocols, one YAML file each."""
