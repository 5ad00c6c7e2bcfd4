"""From what a song is to what is to be played: charts, and the rule-based patterns arranger."""
