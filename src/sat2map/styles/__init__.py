"""Styles that come with the package, as TOML: which features are drawn as which class of a map, and how wide."""
