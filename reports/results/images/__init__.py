"""What single images show: errors of cards, wrong labels, facts without content."""
