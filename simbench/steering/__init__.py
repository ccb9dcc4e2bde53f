"""Which queue, and so which core, a feed's packets land on: by hashing, as cards do it by themselves, and by rules."""
