"""A model of one's own ground: scenes and vectors in, a model file and a report out."""
