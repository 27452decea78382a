"""Quality filters in the judge's space, and on the contents of texts. They do no I/O."""

TABLE: dict[str, str] = {
    "consistency": "augmint.gates.consistency:Consistency",
    "copy": "augmint.gates.copy:Copy",
    "diversity": "augmint.gates.diversity:Diversity",
    "fluency": "augmint.gates.fluency:Fluency",
    "meaning": "augmint.gates.meaning:Meaning",
    "novelty": "augmint.gates.novelty:Novelty",
    "realism": "augmint.gates.realism:Realism",
}
