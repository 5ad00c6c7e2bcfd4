"""The commands, a file for each kind. They parse options, call the pipeline and say what came of it."""
