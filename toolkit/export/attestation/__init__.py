"""What is signed about a run: the statement, its envelope, the key, and the policy that demands something of it."""
