"""Pairs of images: found, cut apart, decoded once, split by place, augmented; or drawn."""
