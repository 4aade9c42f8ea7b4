"""The page of policy and sources: checklist, sources, policy in force, people."""
