"""Data sources: folders, archives, Kaggle, the phantom."""
