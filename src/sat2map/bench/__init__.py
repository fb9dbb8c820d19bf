"""Benchmarks of translation, seams, training and the server, for `sat2map bench`."""
