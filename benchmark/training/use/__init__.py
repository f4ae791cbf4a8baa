"""Using trained models: scores, predictions, explanations, files."""
