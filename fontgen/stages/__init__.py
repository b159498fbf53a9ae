"""The stages of a build: each knows what goes into it and how to run."""
