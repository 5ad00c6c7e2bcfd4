"""The page that a conversion leaves: what was heard, what was changed, and how good it is."""
