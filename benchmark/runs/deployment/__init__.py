"""Stored models in use: model files, decision rules, predictions."""
