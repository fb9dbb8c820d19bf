"""Recipes that come with the package, as TOML; one with `base` says only in what it differs from that one."""
