"""What can be done with a finished run's layers: compare, correct, save, repeat."""
