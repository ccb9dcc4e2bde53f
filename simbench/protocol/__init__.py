"""One file per exchange protocol: datagrams to headers, messages to events. Knows nothing of books, lines or files."""
