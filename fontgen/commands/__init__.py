"""The commands: each parses, calls one function and reports. Heavy imports happen inside them."""
