"""The `swift` command of the image and of .venv: translates options of ms-swift 2 and 3 to 4, then runs ms-swift."""
