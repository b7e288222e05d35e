"""The commands that stay and answer: a chat, a server, the studio."""
