"""Methods: new rows of a space from real ones. They know no modality and do no I/O."""

TABLE: dict[str, str] = {
    "gan": "augmint.synthesizers.gan:Gan",
    "interpolation": "augmint.synthesizers.interpolation:Interpolation",
    "noise": "augmint.synthesizers.noise:Noise",
    "retrieval": "augmint.synthesizers.retrieval:Retrieval",
}
