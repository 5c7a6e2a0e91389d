"""Who may do what: accounts, sessions, roles and the door that asks for them. README: ../README.md."""
