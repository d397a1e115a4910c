"""ctmeter: what a meter and a power-quality instrument would have measured, from raw waveforms."""
