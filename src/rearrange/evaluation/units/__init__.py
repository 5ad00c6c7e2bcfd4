"""What `rearrange evaluate` does, unit by unit: songs from MIDI, songs from sound, ears, sound, cost."""
