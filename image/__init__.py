"""The host side: builds, runs, publishes and verifies the image. Never imports torch, ms-swift or `toolkit`."""
