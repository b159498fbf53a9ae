"""Everything vector: tracing glyph images and fitting curves."""
