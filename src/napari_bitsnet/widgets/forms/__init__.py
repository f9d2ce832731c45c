"""Form of the dock: inputs, task, method, settings and device."""
