"""The training dock and the training that it runs."""
