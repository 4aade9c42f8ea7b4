"""The ask page: a conversation, its steps and answers, and the trail beside it."""
