"""What each metric is, and how far each image moves it."""
