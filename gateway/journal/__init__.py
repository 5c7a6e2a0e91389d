"""The one durable store: what was heard and what was derived from it, committed together."""
