"""Scores on arrays: do minted rows help (intervals), are they true (fidelity), varied (diversity), copied (memorization)?

Nothing here knows a modality, a model or a file.
"""
