"""Why a verdict or a fault is what it is: the evidence, the rule, and a sentence for people (README.md)."""
