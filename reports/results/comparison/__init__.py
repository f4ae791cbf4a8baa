"""Cards beside each other, and beside what was published."""
