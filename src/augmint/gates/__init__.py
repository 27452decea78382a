"""Quality filters in the judge's space. They know no modality and do no I/O."""

TABLE: dict[str, str] = {
    "consistency": "augmint.gates.consistency:Consistency",
    "diversity": "augmint.gates.diversity:Diversity",
    "novelty": "augmint.gates.novelty:Novelty",
    "realism": "augmint.gates.realism:Realism",
}
