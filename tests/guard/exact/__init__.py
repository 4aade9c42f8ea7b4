"""The exactness proof: what a preview shows is what an apply does, and undo restores it all."""
