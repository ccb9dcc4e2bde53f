"""Feed definitions, lines, sequencer, epochs and gaps: what makes one stream of messages of several lines."""
