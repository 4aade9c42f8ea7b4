"""How personal data is recognised: rules, names, addresses, disguises, votes, and Presidio."""
