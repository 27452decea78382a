"""Models trained downstream to measure lift. One class a file; knows no method and no pretrained room."""

TABLE: dict[str, str] = {}
