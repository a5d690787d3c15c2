"""The language model in a process of its own, and the room in the server that looks after it."""
