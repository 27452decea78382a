"""The house seen from other tools: scikit-learn and imbalanced-learn."""
