"""What a song is: pure functions on arrays and notes (beats, tempo, harmony, form, groove)."""
