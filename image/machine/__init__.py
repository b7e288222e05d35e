"""The host as the doctor examines it: findings that hold for every path, the card, and the path without an engine."""
