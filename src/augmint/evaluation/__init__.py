"""Scores on arrays: do minted rows help, are they true, varied, copied? No modality, no model, no file."""
