"""One module a command of `lamplighter`; each has `add` (its arguments) and `run` (its work, giving the exit status)."""
