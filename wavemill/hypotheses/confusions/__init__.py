"""What is heard for what: phones that are taken for others, and words that sound alike."""
