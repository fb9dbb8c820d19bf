"""The model file: weights and their card in one file, shipped and never resumed."""
