"""Models trained downstream to measure lift. One class a file; knows no method and no pretrained room."""

TABLE: dict[str, str] = {
    "probe": "augmint.students.probe:LinearProbe",
    "scratch": "augmint.students.scratch:Scratch",
    "scratch-cnn": "augmint.students.word_cnn:WordCNN",
    "finetune": "augmint.students.finetune:Finetune",
}
"""Name of each student to its class."""
