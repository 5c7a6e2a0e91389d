"""The console: pages made by the server, live by Server-Sent Events. README: ../README.md."""
