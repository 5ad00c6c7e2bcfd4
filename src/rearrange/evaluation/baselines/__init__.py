"""What every model must beat: arrangers on notes, ears, and the neural style transfer of spectrograms.

Each is what someone would do first, done properly; none reads or shares the arranger's weights.
"""
