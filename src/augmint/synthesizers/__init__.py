"""Methods: new rows of a space from real ones. They know no modality and do no I/O."""

TABLE: dict[str, str] = {
    "calibration": "augmint.synthesizers.calibration:Calibration",
    "delta": "augmint.synthesizers.delta:Delta",
    "density": "augmint.synthesizers.density:Density",
    "diffusion": "augmint.synthesizers.diffusion:Diffusion",
    "dropout": "augmint.synthesizers.dropout:Dropout",
    "extrapolation": "augmint.synthesizers.extrapolation:Extrapolation",
    "gan": "augmint.synthesizers.gan:Gan",
    "interpolation": "augmint.synthesizers.interpolation:Interpolation",
    "isda": "augmint.synthesizers.isda:Isda",
    "mixup": "augmint.synthesizers.mixup:Mixup",
    "moex": "augmint.synthesizers.moex:Moex",
    "noise": "augmint.synthesizers.noise:Noise",
    "retrieval": "augmint.synthesizers.retrieval:Retrieval",
    "tail": "augmint.synthesizers.tail:Tail",
}
