"""Releases: a built font that passes its checks, with all that must go with it, in one file."""
