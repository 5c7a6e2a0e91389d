"""Guards' phones: what the console's phone page keeps and hands in (spec: rounds.md, interfaces.md Console)."""
