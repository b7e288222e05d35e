"""What every room of the host side uses: errors, files, the lock, labels, addresses, progress. Imports no room."""
