"""Hand-made transforms, the baselines and partners: wrappers of kept libraries, as Rewriters."""

TABLE: dict[str, str] = {
    "classic": "augmint.classic.image:ClassicImage",
    "classic-text": "augmint.classic.text:ClassicText",
}
