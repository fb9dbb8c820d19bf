"""Model files: the card, reading and writing, export and import."""
