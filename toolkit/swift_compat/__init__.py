"""The `swift` command of the image: turns ms-swift 2 and 3 options into those of 4, says so, and becomes ms-swift."""
