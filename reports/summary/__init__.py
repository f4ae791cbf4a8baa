"""The summary of a section: the best card, what differs from it, what the images cannot show, what is wrong."""
