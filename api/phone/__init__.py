"""The guard's phone: what its page asks of the gateway, and what it hands in."""
