"""fontgen: two fonts in, an installable font out."""

__version__ = "0.1.0"
