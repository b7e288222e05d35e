"""One module a family of base models: its names, its layers and their sizes. The only place for such facts."""
