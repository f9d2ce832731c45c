"""Work with the layers of a finished run: compare, correct, save, repeat."""
