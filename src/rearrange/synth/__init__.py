"""From notes to sound: FluidSynth, and the effects of the mix."""
