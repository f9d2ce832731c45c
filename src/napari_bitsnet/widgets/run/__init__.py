"""One run in the viewer: the worker, its messages, its live layers and every way that it can end."""
