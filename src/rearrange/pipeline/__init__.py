"""The pipeline: from a song's file to a master, stage by stage, in a folder that remembers.

`engine` runs stage records, `stages` holds those of this package, `song` is what they work on. A stage's function
takes the `Song` (its folder and, where one is made, its arrangement and genre), the stage's settings and
`progress`; it reads artefacts through the workspace, calls the pure function of `rearrange.stages` and
writes what that gives back. To replace a stage, replace that pure function, or give `run` other records.

A song given as MIDI enters at `analyse`.
"""
