"""Checks of a data set before training: broken files, misplaced maps, shared ground."""
