"""The access log: who receives it, who reads its lines, and what tries to break them."""
