"""What is registered before the test split is opened."""
