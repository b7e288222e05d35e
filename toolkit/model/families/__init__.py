"""What is true of one family of base models alone: families.yaml, and the code that reads it. The only place for it."""
