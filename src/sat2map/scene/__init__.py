"""Scenes: rasters and pictures of any size, read and written by windows; knows nothing of networks."""
