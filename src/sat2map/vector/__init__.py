"""Vectors: areas that share their borders and one network of roads, traced from a raster of classes."""
