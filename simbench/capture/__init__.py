"""Files to blocks of frames and back: pcap and pcapng, plain or compressed, streamed; and frames to UDP payloads."""
