"""A result as files: names, checks before any work, TIFFs, preview, report, record; written whole or not at
all."""
