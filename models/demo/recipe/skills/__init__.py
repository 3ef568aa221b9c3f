"""One module a skill. Each has `train(rng, length)`, a conversation to learn from, and most have `held_out(rng, ...)`, one with a check."""
