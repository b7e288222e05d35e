"""What is attached to manifests in a registry: manifests that refer to them, and statements."""
