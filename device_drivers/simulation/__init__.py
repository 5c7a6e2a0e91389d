"""A simulated estate with known truth, whose devices say real bytes. It does not know how it will be judged."""
