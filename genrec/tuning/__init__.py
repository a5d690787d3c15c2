"""What the programs in training/ share: settings, the mixture of tasks, the trainer. Does not know serving."""
