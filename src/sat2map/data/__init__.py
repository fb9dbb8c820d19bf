"""Pairs of images: found, cut apart, decoded once, split by bounds, augmented; or drawn."""
