"""What devices say: one folder a family, each decoding bytes into observations without I/O."""
