"""The receiver: batches of frames in, books and telemetry out. The same kernels offline and on a wire."""
