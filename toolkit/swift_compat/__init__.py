"""The image's `swift` command: translates options of ms-swift 2 and 3 to 4, says what changed, and runs ms-swift."""
