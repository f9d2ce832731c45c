"""Time and memory of iterations, of their parts, and of other ways to execute them."""
