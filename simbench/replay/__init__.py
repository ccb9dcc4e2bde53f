"""From a capture to frames on a wire at their recorded time: schedule, rebuilding, pacing, control, the process."""
