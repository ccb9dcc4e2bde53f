"""The wires between replayer and receiver: shared-memory ring, veth, tap, existing interfaces."""
