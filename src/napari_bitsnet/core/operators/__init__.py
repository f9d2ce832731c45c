"""Linear operators on images that several families share: gradients, their adjoints and inverses."""
