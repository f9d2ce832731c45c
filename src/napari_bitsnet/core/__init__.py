"""The mathematics that all else is made of; it knows nothing above it."""
