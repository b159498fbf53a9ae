"""Everything OpenType: opening fonts, metrics, names, assembling, checking, comparing."""
