"""How networks are fitted: Adam, ADMM with RED, what is kept, when to stop."""
