"""What is true of one family of base models only: families.yaml, and the code that reads it. Nowhere else."""
