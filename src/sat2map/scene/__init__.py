"""Scenes: rasters and images of any size, read and written by windows; knows nothing of networks."""
