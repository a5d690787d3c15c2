"""Chat: what a request means, as typed rules and items, and how an answer reads. Knows no model and no server."""
